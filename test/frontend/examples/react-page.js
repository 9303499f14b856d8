import './react-refresh.js'
import { ChannelstreamConnection } from 'channelstream/client'
import { flushSync } from 'react-dom'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { performReactRefresh, register } from 'react-refresh/runtime'
import { Room, app, newRoom } from './react-app.js'

register(Room, 'Room')

/** Renders into the page, which may have what a server has rendered. */
window.start = ({ options, rooms }) => {
  const connection = new ChannelstreamConnection(options)
  const place = document.getElementById('app')
  const isRendered = place.firstChild !== null
  const root = isRendered ? hydrateRoot(place, app(connection, rooms)) : createRoot(place)
  const show = (now) => root.render(app(connection, now))
  if (!isRendered) flushSync(() => show(rooms))
  Object.assign(window, {
    connection,
    show,
    reload: () => {
      register(newRoom(), 'Room')
      performReactRefresh()
    },
    end: () => root.unmount(),
  })
}
