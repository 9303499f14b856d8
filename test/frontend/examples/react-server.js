import { renderToString } from 'react-dom/server'
import { app } from './react-app.js'

export const render = (connection, rooms) => renderToString(app(connection, rooms))
