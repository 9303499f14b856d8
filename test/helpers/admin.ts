import { send } from './http.ts'
import type { Address, Answer, Sending } from './http.ts'

/** An admin with a session. */
export class Admin {
  private constructor(
    private readonly server: Address,
    readonly cookie: string,
  ) {}

  /** Signs in, by default with the default credentials. */
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

  /** Uses the same cookie at another server. */
  at(server: Address): Admin {
    return new Admin(server, this.cookie)
  }

  /** Opens a page like a browser. */
  open(path: string, headers: object = {}): Promise<Answer> {
    const all = { cookie: this.cookie, accept: 'text/html', ...headers }
    return send(this.server, `GET ${path}`, { headers: all })
  }

  /** Sends a request like the panel. `headers` override the defaults; undefined removes one. */
  call(line: string, { headers, ...sending }: Sending = {}): Promise<Answer> {
    const all = { cookie: this.cookie, 'x-channelstream-admin': '1', ...headers }
    const given = Object.entries(all).filter(([, value]) => value !== undefined)
    return send(this.server, line, { ...sending, headers: Object.fromEntries(given) })
  }
}
