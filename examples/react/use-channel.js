/**
 * React hooks for Channelstream, to copy.
 *
 *   const connection = new ChannelstreamConnection({ connectUrl: '/connect', … }) // one for the page, in a module
 *
 *   function App() {
 *     useConnection(connection)
 *     …
 *   function Lobby() {
 *     const { messages, members, status, gaps } = useChannel(connection, 'lobby')
 *     const isJoined = members !== null
 *     useEffect(() => { if (isJoined) loadEarlier() }, [isJoined, gaps]) // some may be in both: compare `uuid`
 */
import { channelOf } from 'channelstream/client/channels'
import { useEffect, useMemo, useSyncExternalStore } from 'react'

const MAX_MESSAGES = 200
const NOTHING = { messages: [], members: null, status: 'disconnected', gaps: 0 }

/** Keeps the connection open while the component is mounted, but not on a server. Call it once, in the root. */
export function useConnection(connection) {
  useEffect(() => {
    let isMounted = true
    // After the effects of all components, so that connect() asks for their channels as well.
    queueMicrotask(() => isMounted && connection.connect())
    return () => {
      isMounted = false
      connection.disconnect()
    }
  }, [connection])
}

/**
 * What happens in a channel while the component is mounted. The first component subscribes, the last one unsubscribes.
 *
 * - `messages`: the last 200 since the mount or the last gap, as edited, without deleted ones.
 * - `members`: a Map of user names to states. Null until the backend has passed on `channels_info` of the channel.
 * - `status`: of the connection, such as `connected`.
 * - `gaps`: how often messages were missed that the server no longer keeps. Load them from the backend.
 */
export function useChannel(connection, name) {
  const { subscribe, read } = useMemo(() => watch(connection, name), [connection, name])
  return useSyncExternalStore(subscribe, read, () => NOTHING)
}

function watch(connection, name) {
  let state = { ...NOTHING, status: connection.status }

  function subscribe(render) {
    const channel = channelOf(connection, name)
    const leaving = new AbortController()
    const on = (source, type, change) => {
      const listener = (event) => {
        state = { ...state, ...change(event, state) }
        render()
      }
      source.on(type, listener, { signal: leaving.signal })
    }
    state = { ...NOTHING, status: connection.status, members: channel.members }
    on(connection, 'status', ({ status }) => ({ status }))
    on(channel, 'members', (members) => ({ members }))
    on(channel, 'gap', (_, { gaps }) => ({ messages: [], gaps: gaps + 1 }))
    on(channel, 'message', (message, { messages }) => ({
      messages: [...messages, message].slice(-MAX_MESSAGES),
    }))
    on(channel, 'message:edit', (edit, { messages }) => ({
      messages: messages.map((one) => (one.uuid === edit.uuid ? edited(one, edit) : one)),
    }))
    on(channel, 'message:delete', ({ uuid }, { messages }) => ({
      messages: messages.filter((one) => one.uuid !== uuid),
    }))
    return () => leaving.abort()
  }

  return { subscribe, read: () => state }
}

const edited = (message, edit) => ({ ...message, ...edit, type: message.type, id: message.id })
