/** What bundlers do for Fast Refresh. Has to be loaded before React DOM. */
import { injectIntoGlobalHook } from 'react-refresh/runtime'

injectIntoGlobalHook(window)
