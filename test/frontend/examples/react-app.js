import { StrictMode, createElement } from 'react'
import { useChannel, useConnection } from '../../../examples/react/use-channel.js'
import { summary } from './summary.js'

/** Returns another function each time, as a module does that is loaded again. */
export const newRoom = () =>
  function Room({ connection, id, name }) {
    return createElement('pre', { id }, summary(useChannel(connection, name)))
  }

export const Room = newRoom()

function App({ connection, rooms }) {
  useConnection(connection)
  return rooms.map(({ id, name, version }) =>
    createElement(Room, { key: `${id} ${version}`, connection, id, name }),
  )
}

export const app = (connection, rooms) =>
  createElement(StrictMode, null, createElement(App, { connection, rooms }))
