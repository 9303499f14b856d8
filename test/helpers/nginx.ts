import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesOfPackage } from './debian-packages.ts'
import { until } from './http.ts'
import { freePort } from './ports.ts'
import type { ChildProcess } from 'node:child_process'
import type { Address } from './http.ts'

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

/** Debian's nginx on a free loopback port, with a configuration for its `http` block. */
export class Nginx implements Address {
  readonly host = '127.0.0.1'

  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /** `configuration` gets the port to listen on. */
  static async start(configuration: (port: number) => string): Promise<Nginx> {
    const files = await filesOfPackage('nginx')
    const folder = mkdtempSync(join(tmpdir(), 'channelstream-nginx-'))
    const port = await freePort()
    const file = join(folder, 'nginx.conf')
    const lines = TEMPORARY.map((name) => `${name}_temp_path ${join(folder, name)};`)
    writeFileSync(
      file,
      `daemon off; pid ${join(folder, 'pid')}; error_log stderr;
       events { worker_connections 200; }
       http { access_log off; ${lines.join(' ')} ${configuration(port)} }`,
    )
    const child = spawn(join(files, 'usr/sbin/nginx'), ['-c', file, '-p', folder])
    let output = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
    const server = new Nginx(port, child, folder)
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`nginx: ${output}`)
      return server.#isUp()
    }, 'nginx to listen')
    return server
  }

  async #isUp(): Promise<boolean> {
    return fetch(`http://${this.host}:${this.port}/health/live`).then(
      () => true,
      () => false,
    )
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) {
      this.child.kill('SIGTERM')
      await once(this.child, 'exit')
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}
