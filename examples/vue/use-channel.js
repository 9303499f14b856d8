/**
 * Vue composables for Channelstream, to copy.
 *
 *   const connection = new ChannelstreamConnection({ connectUrl: '/connect', … }) // one for the page, in a module
 *
 *   useConnection(connection) // in App.vue
 *   const { messages, members, status, gaps } = useChannel(connection, 'lobby') // in Lobby.vue
 *   const isJoined = () => members.value !== null
 *   watch([isJoined, gaps], () => { if (isJoined()) loadEarlier() }) // some may be in both: compare `uuid`
 */
import { channelOf } from 'channelstream/client/channels'
import { onMounted, onUnmounted, shallowRef, toValue, watch } from 'vue'

const MAX_MESSAGES = 200

/** Keeps the connection open while the component is mounted, but not on a server. Call it once, in the root. */
export function useConnection(connection) {
  let isMounted = false
  onMounted(() => {
    isMounted = true
    // After all components are mounted, so that connect() asks for their channels as well.
    queueMicrotask(() => isMounted && connection.connect())
  })
  onUnmounted(() => {
    isMounted = false
    connection.disconnect()
  })
}

/**
 * What happens in a channel while the component is mounted. The first component subscribes, the last one unsubscribes.
 * `name` may be a ref, or a getter such as `() => props.name`.
 *
 * - `messages`: the last 200 since the mount or the last gap, as edited, without deleted ones.
 * - `members`: a Map of user names to states. Null until the backend has passed on `channels_info` of the channel.
 * - `status`: of the connection, such as `connected`.
 * - `gaps`: how often messages were missed that the server no longer keeps. Load them from the backend.
 */
export function useChannel(connection, name) {
  const messages = shallowRef([])
  const members = shallowRef(null)
  const status = shallowRef('disconnected')
  const gaps = shallowRef(0)

  function listen(channel, signal) {
    messages.value = []
    members.value = channel.members
    status.value = connection.status
    gaps.value = 0
    const on = (source, type, listener) => source.on(type, listener, { signal })
    on(connection, 'status', (event) => (status.value = event.status))
    on(channel, 'members', (now) => (members.value = now))
    on(channel, 'gap', () => {
      messages.value = []
      gaps.value++
    })
    on(channel, 'message', (message) => {
      messages.value = [...messages.value, message].slice(-MAX_MESSAGES)
    })
    on(channel, 'message:edit', (edit) => {
      messages.value = messages.value.map((one) =>
        one.uuid === edit.uuid ? edited(one, edit) : one,
      )
    })
    on(channel, 'message:delete', ({ uuid }) => {
      messages.value = messages.value.filter((one) => one.uuid !== uuid)
    })
  }

  onMounted(() => {
    const follow = (current, _, onCleanup) => {
      const leaving = new AbortController()
      onCleanup(() => leaving.abort())
      listen(channelOf(connection, current), leaving.signal)
    }
    watch(() => toValue(name), follow, { immediate: true })
  })
  return { messages, members, status, gaps }
}

const edited = (message, edit) => ({ ...message, ...edit, type: message.type, id: message.id })
