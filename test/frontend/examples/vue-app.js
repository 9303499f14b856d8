import { h, shallowRef } from 'vue'
import { useChannel, useConnection } from '../../../examples/vue/use-channel.js'
import { summary } from './summary.js'

export const Room = {
  props: ['connection', 'id', 'name'],
  setup(props) {
    const { messages, members, status, gaps } = useChannel(props.connection, () => props.name)
    return () => {
      const now = { messages: messages.value, members: members.value, status: status.value }
      return h('pre', { id: props.id }, summary({ ...now, gaps: gaps.value }))
    }
  },
}

/** Returns what `create` makes, and a function that changes what it shows. */
export function appOf(create, connection, initial) {
  const rooms = shallowRef(initial)
  const App = {
    setup() {
      useConnection(connection)
      return () =>
        rooms.value.map(({ id, name, version }) =>
          h(Room, { key: `${id} ${version}`, connection, id, name }),
        )
    },
  }
  return { app: create(App), show: (now) => (rooms.value = now) }
}
