import { createSSRApp } from 'vue'
import { renderToString } from 'vue/server-renderer'
import { appOf } from './vue-app.js'

export const render = (connection, rooms) =>
  renderToString(appOf(createSSRApp, connection, rooms).app)
