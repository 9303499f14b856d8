import Alpine from 'alpinejs'
import { ChannelstreamConnection } from 'channelstream/client'
import { channelOf } from 'channelstream/client/channels'
import { reactive, readonly, ref, shallowReactive } from 'vue'

/** Ways to hold a connection in reactive state. Each returns what the page gets when it reads the connection there. */
const WAYS = {
  'ref()': (connection) => ref(connection).value,
  'reactive()': (connection) => reactive(connection),
  'an object in reactive()': (connection) => reactive({ connection }).connection,
  'a list in ref()': (connection) => ref([connection]).value[0],
  'shallowReactive() in reactive()': (connection) =>
    reactive({ inner: shallowReactive({ connection }) }).inner.connection,
  'readonly()': (connection) => readonly({ connection }).connection,
  'Alpine.reactive()': (connection) => Alpine.reactive({ connection }).connection,
}

/** Calls every method through the state, until the page has received its own message. */
window.exercise = async (way, options, channel) => {
  const called = new Set()
  const made = new ChannelstreamConnection(options)
  const connection = WAYS[way](made)
  const call = (name, ...args) => {
    called.add(name)
    return connection[name](...args)
  }
  const heard = []
  const hear = ({ message }) => heard.push(message.text)
  let mutated = 0
  call('addMutator', 'message', () => mutated++)
  const stop = call('on', 'message', hear)
  call('once', 'connect', ({ answer }) => heard.push(answer.conn_id === connection.connectionId))
  call('on', 'gap', hear)
  call('off', 'gap', hear)
  const iterator = call('events')
  const other = call(Symbol.asyncIterator)
  const members = new Promise((resolve) => channelOf(connection, channel).on('members', resolve))
  await call('connect')
  await call('subscribe', call('calculateSubscribe', ['extra']))
  await call('unsubscribe', call('calculateUnsubscribe', ['extra']))
  await call('updateUserState', { color: 'red' })
  const uuid = crypto.randomUUID()
  await call('message', { uuid, channel, user: connection.username, message: { text: 'hi' } })
  const { value } = await iterator.next()
  const isOwn = call('isOwn', value)
  await call('edit', { uuid, channel, message: { text: 'edited' } })
  await call('delete', { uuid, channel })
  await other.return()
  const inside = [...(await members).keys()]
  // It is open already.
  await call('startListening')
  await call('openLongPoll')
  await call('openWebsocket')
  call('retryConnection')
  const { status, transport } = connection
  await call('disconnect')
  await call('connect')
  call('closeConnection')
  stop()
  for (const name of callbacksOf(made)) connection[name]({}, {})
  return {
    isItself: connection === made,
    called: [...called].map(String),
    heard,
    mutated,
    isOwn,
    inside,
    transport,
    status,
    ended: connection.status,
  }
}

/** The names of the callbacks that pages may replace. */
function callbacksOf(connection) {
  const names = []
  for (let face = connection; face; face = Object.getPrototypeOf(face))
    names.push(...Object.getOwnPropertyNames(face).filter((name) => name.endsWith('Callback')))
  return names
}

window.ChannelstreamConnection = ChannelstreamConnection
window.Alpine = Alpine
Alpine.start()
