import { send } from './http.ts'
import type { Address, Answer, Sending } from './http.ts'

/** Somebody who is signed in to the admin pages. */
export class Admin {
  private constructor(
    private readonly server: Address,
    readonly cookie: string,
  ) {}

  /** With the credentials that everybody knows, unless others are given. */
  static async signIn(
    server: Address,
    { username = 'admin', password = 'admin_secret' } = {},
  ): Promise<Admin> {
    const body = new URLSearchParams({ username, password }).toString()
    const { headers } = await send(server, 'POST /admin/sign_in', { body })
    return new Admin(server, headers['set-cookie']?.[0]?.split(';')[0] ?? '')
  }

  signOut(): Promise<Answer> {
    return send(this.server, 'POST /admin/sign_out', { headers: { cookie: this.cookie } })
  }

  /** With the same cookie, at another server. */
  at(server: Address): Admin {
    return new Admin(server, this.cookie)
  }

  /** Opens a page as a browser does. */
  open(path: string, headers: object = {}): Promise<Answer> {
    const all = { cookie: this.cookie, accept: 'text/html', ...headers }
    return send(this.server, `GET ${path}`, { headers: all })
  }

  /** As the panel calls, but for the headers that are given; undefined leaves one out. */
  call(line: string, { headers, ...sending }: Sending = {}): Promise<Answer> {
    const all = { cookie: this.cookie, 'x-channelstream-admin': '1', ...headers }
    const given = Object.entries(all).filter(([, value]) => value !== undefined)
    return send(this.server, line, { ...sending, headers: Object.fromEntries(given) })
  }
}
