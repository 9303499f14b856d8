import { beforeAll, describe, expect, expectTypeOf, it, onTestFinished } from 'vitest'
import { reactive, ref, shallowRef } from 'vue'
import { channelOf } from '../../../frontend/client/channels.ts'
import { ChannelstreamConnection } from '../../../frontend/client/index.ts'
import { useBrowser } from '../../helpers/browser.ts'
import { Backend, until } from '../../helpers/http.ts'
import { startServer } from '../../helpers/server.ts'
import { PageBackend, addresses } from '../client/page-backend.ts'
import { bundle } from './bundle.ts'
import type { TestServer } from '../../helpers/server.ts'

const browser = useBrowser()
let server: TestServer
let script: string
beforeAll(async () => {
  server = await startServer({ heartbeat_interval: 0.1, wake_connections_after: 0.5 })
  script = await bundle('state-page.js', 'browser')
  return () => server.close()
})

interface StatePage {
  readonly exercise: (way: string, options: object, channel: string) => Promise<Exercised>
  readonly options: object
}
interface Exercised {
  readonly called: string[]
}

async function openPage(body = '') {
  const backend: PageBackend = await PageBackend.start(server, ({ url }, response) => {
    const options = { ...addresses(backend, server), username: 'ann' }
    const setup = `<script>window.options = ${JSON.stringify(options)}</script>`
    const head = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">${setup}`
    if (url === '/')
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(`${head}<script type="module" src="/page.js"></script>${body}`)
    else if (url === '/page.js')
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    else return false
    return true
  })
  const page = await browser.newPage()
  await page.goto(backend.url)
  await page.waitForFunction(() => 'exercise' in window)
  return { page, backend }
}

/** The names of all methods, without callbacks, which pages replace. */
function methodNames(): string[] {
  const names: string[] = []
  for (
    let face = ChannelstreamConnection.prototype as object;
    face !== Object.prototype;
    face = Object.getPrototypeOf(face) as object
  )
    for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(face)))
      if (typeof value === 'function' && key !== 'constructor') names.push(key)
  return [...names.filter((name) => !name.endsWith('Callback')), 'Symbol(Symbol.asyncIterator)']
}

describe('a connection in reactive state', () => {
  const WAYS = [
    'ref()',
    'reactive()',
    'an object in reactive()',
    'a list in ref()',
    'shallowReactive() in reactive()',
    'readonly()',
    'Alpine.reactive()',
  ]

  it.each(WAYS)('works with all its methods: %s', async (way) => {
    const { page } = await openPage()
    const channel = `in ${way}`
    await new Backend(server).call('POST /channel_config', { [channel]: { notify_presence: true } })
    const result = await page.evaluate(
      ({ way, channel }) => {
        const { exercise, options } = window as unknown as StatePage
        return exercise(way, options, channel)
      },
      { way, channel },
    )
    expect(result).toMatchObject({
      isItself: true,
      heard: [true, 'hi'],
      mutated: 1,
      isOwn: true,
      inside: ['ann'],
      transport: 'websocket',
      status: 'connected',
      ended: 'disconnected',
    })
    expect(result.called.toSorted()).toEqual(methodNames().toSorted())
  })

  it('is held by the data of an Alpine component, which shows what it receives', async () => {
    const { page, backend } = await openPage(`
      <div x-data="chat">
        <b x-text="status"></b>
        <ul><template x-for="text in texts"><li x-text="text"></li></template></ul>
        <button @click="connection.message({ channel: 'alpine', user: 'ann', message: { text: 'hi' } })"></button>
      </div>
      <script>
        addEventListener('alpine:init', () => {
          Alpine.data('chat', () => ({
            connection: new ChannelstreamConnection({ ...options, channels: ['alpine'] }),
            status: '',
            texts: [],
            init() {
              this.connection.on('status', ({ status }) => (this.status = status))
              this.connection.on('message', ({ message }) => this.texts.push(message.text))
              this.connection.connect()
            },
            destroy() {
              this.connection.disconnect()
            },
          }))
        })
      </script>`)
    await page.locator('b', { hasText: /^connected$/ }).waitFor()
    await page.locator('button').click()
    await page.locator('li', { hasText: /^hi$/ }).waitFor()
    await page.evaluate(() => document.querySelector('div')?.remove())
    const users = async () => (await new Backend(server).info()).channels['alpine']?.users ?? []
    await until(async () => (await users()).length === 0, 'the page to have left')
    expect(backend.calls).toEqual(['/connect', '/message'])
  })

  it("keeps its types in Vue's", () => {
    interface Types {
      message: { text: string }
      state: { color: string }
    }
    const connection = new ChannelstreamConnection<Types>()
    onTestFinished(() => connection.closeConnection())
    const held = ref(connection)
    expectTypeOf(channelOf(held.value, 'lobby').members).toEqualTypeOf<ReadonlyMap<
      string,
      { color: string }
    > | null>()
    const state = reactive({ connection })
    state.connection.on('message', ({ message }) =>
      expectTypeOf(message).toEqualTypeOf<{ text: string }>(),
    )
    expectTypeOf(shallowRef(connection).value).toEqualTypeOf<ChannelstreamConnection<Types>>()
    expect([held.value, state.connection]).toEqual([connection, connection])
  })
})
