/** Sends a backend's requests to the driver and to the model, and compares each answer. */
import { expect } from 'vitest'
import { expectedInfo, shownInfo } from './expected-info.ts'
import { expectedRecipients } from './expected-recipients.ts'
import { targetsOf, writtenOut } from './operations.ts'
import { checkAddressee } from './transcript.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'
import type { Clients } from './clients.ts'
import type { Driver, Posted } from './driver.ts'
import type { Model, ModelConnection } from './model.ts'
import type { OperationNamed } from './operations.ts'

export class Backend {
  constructor(
    private readonly driver: Driver,
    private readonly model: Model,
    private readonly clients: Clients,
  ) {}

  async connect(request: OperationNamed<'connect'>['request']): Promise<void> {
    const answer = await this.driver.connect(request)
    const known = this.model.connections.get(request.conn_id)
    expect(answer === undefined).toBe(known !== undefined && known.user !== request.username)
    if (!answer) return
    this.model.connect(request)
    this.clients.forgetPresence(request.conn_id, request.channels)
    expect(answer.channels).toEqual([...request.channels].sort())
    expect(answer.state).toEqual(this.model.users.get(request.username)?.state)
    expect(answer.public_state).toEqual(this.model.publicState(request.username))
    this.#compareInfo(answer.channels_info, request.channels, request.info, request.username)
  }

  async subscribe(request: OperationNamed<'subscribe'>['request']): Promise<void> {
    const answer = await this.driver.subscribe(request)
    const connection = this.model.connections.get(request.conn_id)
    expect(answer === undefined).toBe(connection === undefined)
    if (!answer || !connection) return
    const joined = this.model.join(connection, request.channels, request.channel_configs)
    this.clients.forgetPresence(request.conn_id, joined)
    expect(answer.subscribed_to).toEqual([...joined].sort())
    this.#compareMembership(answer, connection, request)
  }

  async unsubscribe(request: OperationNamed<'unsubscribe'>['request']): Promise<void> {
    const answer = await this.driver.unsubscribe(request)
    const connection = this.model.connections.get(request.conn_id)
    expect(answer === undefined).toBe(connection === undefined)
    if (!answer || !connection) return
    const left = this.model.remove(connection, request.channels)
    this.clients.forgetPresence(request.conn_id, left)
    expect(answer.unsubscribed_from).toEqual([...left].sort())
    this.#compareMembership(answer, connection, request)
  }

  async configure(request: OperationNamed<'configure'>['request']): Promise<void> {
    const answer = await this.driver.configure(request)
    for (const [name, settings] of Object.entries(request)) {
      this.model.configure(name, settings)
      this.clients.forgetPresenceIn(name)
    }
    const asked = { include_history: false, include_users: false }
    if (answer) this.#compareInfo(answer, Object.keys(request), asked)
    expect(answer).toBeDefined()
  }

  async setState(request: OperationNamed<'state'>['request']): Promise<void> {
    const answer = await this.driver.setState(request)
    const user = this.model.users.get(request.user)
    expect(answer === undefined).toBe(user === undefined)
    if (!answer || !user) return
    const changed = this.model.setState(request)
    expect(answer.changed_state).toEqual(changed)
    expect(answer.user_state).toEqual(user.state)
    expect(answer.public_keys).toEqual(user.publicKeys)
  }

  async post({ request: short, isCounted }: OperationNamed<'post'>): Promise<void> {
    const request = short.map((post) => ({ ...post, message: writtenOut(post.message) }))
    const posted = await this.#accepted(this.driver.post(request, isCounted))
    const sent = request.filter((post) => post.channel ?? post.channels ?? post.pm_users.length > 0)
    expect(posted.length).toBe(sent.length)
    for (const [index, { user, message, ...details }] of sent.entries()) {
      if (isCounted)
        expect(posted[index]?.recipients).toEqual(expectedRecipients(this.model, details))
      const uuid = details.uuid ?? posted[index]?.uuid
      this.model.messages++
      for (const channel of targetsOf(details)) {
        const view = { type: 'message', uuid, channel, user, message, edited: null }
        this.model.publish(view, { ...details, channel })
      }
    }
  }

  async edit(short: OperationNamed<'edit'>['request']): Promise<void> {
    const request = short.map((edit) => ({ ...edit, message: writtenOut(edit.message) }))
    const posted = await this.#accepted(this.driver.edit(request))
    expect(posted.length).toBe(request.length)
    for (const [index, { uuid, message, ...details }] of request.entries()) {
      const edited = posted[index]?.edited
      for (const channel of targetsOf(details)) {
        const view = { type: 'message:edit', uuid, channel, message, edited }
        this.model.publish(view, { ...details, channel })
      }
    }
  }

  async remove(request: OperationNamed<'remove'>['request']): Promise<void> {
    const posted = await this.#accepted(this.driver.remove(request))
    expect(posted.length).toBe(request.length)
    for (const { uuid, ...details } of request)
      for (const channel of targetsOf(details))
        this.model.publish({ type: 'message:delete', uuid, channel }, { ...details, channel })
  }

  async disconnect(connId: string): Promise<void> {
    const isKnown = this.model.connections.has(connId)
    this.clients.mayEnd(connId)
    expect(await this.driver.disconnect(connId)).toBe(isKnown)
  }

  async #accepted(answer: Promise<Posted | undefined>): Promise<Posted> {
    const posted = await answer
    expect(posted).toBeDefined()
    return posted ?? []
  }

  #compareMembership(
    answer: { readonly channels: readonly string[]; readonly channels_info: ChannelsInfo },
    { channels, user }: ModelConnection,
    { info }: OperationNamed<'subscribe'>['request'],
  ): void {
    expect(answer.channels).toEqual([...channels.keys()].sort())
    this.#compareInfo(answer.channels_info, channels.keys(), info, user)
  }

  #compareInfo(
    shown: ChannelsInfo,
    names: Iterable<string>,
    asked: OperationNamed<'connect'>['request']['info'],
    viewer?: string,
  ): void {
    expect(shownInfo(shown)).toEqual(expectedInfo(this.model, names, asked, viewer))
    if (viewer === undefined) return
    for (const { history } of Object.values(shown.channels))
      for (const { message } of history) checkAddressee(message, viewer)
  }
}
