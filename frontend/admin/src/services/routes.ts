import { decodeName, encodeName } from './names.ts'

/** The view shown, from the URL's fragment. */
export type Route =
  | { readonly view: 'overview' | 'channels' | 'users' | 'unknown' }
  | { readonly view: 'channel' | 'user'; readonly name: string }
  | { readonly view: 'send'; readonly channel: string }

export const linkTo = {
  overview: '#/',
  channels: '#/channels',
  users: '#/users',
  send: '#/send',
  channel: (name: string): string => `#/channel/${encodeName(name)}`,
  user: (name: string): string => `#/user/${encodeName(name)}`,
  sendTo: (channel: string): string => `#/send/${encodeName(channel)}`,
}

export function routeOf(hash: string): Route {
  const [, view = '', segment = ''] = hash.split('/')
  const name = decodeName(segment)
  switch (view) {
    case '':
      return { view: 'overview' }
    case 'channels':
    case 'users':
      return { view }
    case 'channel':
    case 'user':
      return name ? { view, name } : { view: 'unknown' }
    case 'send':
      return { view, channel: name ?? '' }
    default:
      return { view: 'unknown' }
  }
}
