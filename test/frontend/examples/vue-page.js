import { ChannelstreamConnection } from 'channelstream/client'
import { createApp, createSSRApp } from 'vue'
import { Room, appOf } from './vue-app.js'

// What bundlers do for hot replacement.
const { createRecord, reload } = window.__VUE_HMR_RUNTIME__
Room.__hmrId = 'Room'
createRecord('Room', Room)

/** Renders into the page, which may have what a server has rendered. */
window.start = ({ options, rooms }) => {
  const connection = new ChannelstreamConnection(options)
  const create = document.getElementById('app').firstChild ? createSSRApp : createApp
  const { app, show } = appOf(create, connection, rooms)
  app.mount('#app')
  Object.assign(window, {
    connection,
    show,
    reload: () => reload('Room', { ...Room }),
    end: () => app.unmount(),
  })
}
