/** Runs operations on a driver and on the model, and compares the results after each. */
import { expect } from 'vitest'
import { listAtOnce } from '../helpers/paged-answers.ts'
import { Backend } from './backend.ts'
import { Clients } from './clients.ts'
import { expectedInfo, shownInfo } from './expected-info.ts'
import { flush } from './model-sessions.ts'
import { Model } from './model.ts'
import { SLOTS, USERS, connIdOf } from './operations.ts'
import type { UserName } from '../../src/protocol/ids.ts'
import type { Driver } from './driver.ts'
import type { Operation } from './operations.ts'

/** Sweeps run every 500 ms, deadlines are up to 250 ms late. */
const COLLECTED_WITHIN_MS = 1_000

export class World {
  readonly #model: Model
  readonly #clients: Clients
  readonly #backend: Backend

  constructor(private readonly driver: Driver) {
    this.#model = new Model(driver.options)
    this.#clients = new Clients(driver, this.#model)
    this.#backend = new Backend(driver, this.#model, this.#clients)
  }

  async play(operations: readonly Operation[]): Promise<void> {
    for (const operation of operations) await this.#step(operation)
  }

  /** All clients disconnect and all deadlines pass. Nothing may be left. */
  async everybodyGoes(): Promise<void> {
    const { gcConnsMs, resumeWindowMs, gcUsersMs, gcChannelsMs } = this.driver.options
    for (const slot of SLOTS) {
      await this.#step({ do: 'breakOff', slot, older: false })
      await this.#step({ do: 'answer', slot, arrives: true })
    }
    await this.#wait(Math.max(gcConnsMs, resumeWindowMs))
    await this.#wait(gcUsersMs + gcChannelsMs)
    const { hub } = this.driver
    expect(hub.openConnections).toBe(0)
    expect((await this.driver.info()).channels).toEqual({})
    expect(await hub.adminOverview()).toMatchObject({
      remembered_user_count: 0,
      unique_user_count: 0,
      total_connections: 0,
      total_channels: 0,
      users: [],
    })
  }

  async #wait(ms: number): Promise<void> {
    await this.driver.advance(ms + COLLECTED_WITHIN_MS)
    await this.#compare()
  }

  async #step(operation: Operation): Promise<void> {
    this.#model.now = this.driver.now
    await this.#do(operation)
    await this.#compare()
  }

  async #compare(): Promise<void> {
    const [driver, model, clients] = [this.driver, this.#model, this.#clients]
    await driver.settle(() => true)
    for (const notice of driver.notices()) clients.note(notice)
    model.now = driver.now
    flush(model)
    await driver.settle(() => clients.hasAll())
    clients.compare()
    await this.#compareFacts()
  }

  #do(operation: Operation): Promise<void> {
    const [backend, clients] = [this.#backend, this.#clients]
    switch (operation.do) {
      case 'connect':
        return backend.connect(operation.request)
      case 'subscribe':
        return backend.subscribe(operation.request)
      case 'unsubscribe':
        return backend.unsubscribe(operation.request)
      case 'configure':
        return backend.configure(operation.request)
      case 'state':
        return backend.setState(operation.request)
      case 'post':
        return backend.post(operation)
      case 'edit':
        return backend.edit(operation.request)
      case 'remove':
        return backend.remove(operation.request)
      case 'disconnect':
        return backend.disconnect(connIdOf(operation.slot))
      case 'open':
        return clients.open(operation, 'websocket')
      case 'sse':
        return clients.open(operation, 'sse')
      case 'poll':
        return clients.open(operation, 'poll')
      case 'answer':
        return clients.answer(operation)
      case 'leave':
        return clients.leave(operation)
      case 'breakOff':
        return clients.breakOff(operation)
      case 'stall':
        return clients.setWritable(operation.slot, false)
      case 'drain':
        return clients.setWritable(operation.slot, true)
      case 'fallSilent':
        return Promise.resolve(clients.fallSilent(operation.slot))
      case 'advance':
        return this.driver.advance(operation.seconds * 1_000)
      default:
        return operation satisfies never
    }
  }

  async #compareFacts(): Promise<void> {
    const [driver, model] = [this.driver, this.#model]
    const info = await driver.info()
    await this.#forgetWhatIsDue(Object.keys(info.channels))
    expect(shownInfo(info)).toEqual(expectedInfo(model, model.channels.keys()))
    const connections = [...model.connections.values()]
    const open = connections.filter(({ listener }) => listener)
    expect(driver.hub.openConnections, 'open connections').toBe(open.length)
    const users = [...new Set(connections.map(({ user }) => user))].sort()
    const { users: shown, ...overview } = await driver.hub.adminOverview()
    expect(overview).toMatchObject({
      remembered_user_count: model.users.size,
      unique_user_count: users.length,
      total_connections: connections.length,
      total_channels: model.channels.size,
      total_messages: model.deliveries,
      total_unique_messages: model.messages,
    })
    const listed = listAtOnce(shown)
    const states = new Map(listed.map(({ user, state }) => [user as string, state]))
    expect(states.size).toBe(listed.length)
    expect(states).toEqual(new Map(users.map((user) => [user, model.publicState(user)])))
  }

  /** Users and channels that are due must be removed shortly after, and not before. */
  async #forgetWhatIsDue(channels: readonly string[]): Promise<void> {
    const [{ hub, now }, model] = [this.driver, this.#model]
    const mayBeGone = ({ dueAt = Infinity }) => dueAt <= now
    const mayBeThere = ({ dueAt = Infinity }) => dueAt + COLLECTED_WITHIN_MS > now
    const late = [...model.connections.values()].filter((connection) => !mayBeThere(connection))
    expect(late, 'connections that were not collected').toEqual([])
    for (const [name, channel] of model.channels) {
      const isThere = channels.includes(name)
      const isRight = isThere ? mayBeThere(channel) : mayBeGone(channel)
      expect(isRight, `channel ${name} ${isThere ? 'stays too long' : 'is forgotten'}`).toBe(true)
      if (!isThere) model.forgetChannel(name)
    }
    for (const name of USERS) {
      const user = model.users.get(name)
      const isThere = await hub.hasUser(name as UserName)
      const isRight = user && (isThere ? mayBeThere(user) : mayBeGone(user))
      expect(isRight ?? !isThere, `user ${name} there: ${isThere}`).toBe(true)
      if (user && !isThere) model.forgetUser(name)
    }
  }
}
