/** The alerts for Prometheus and the dashboards for Grafana: their metrics, labels and queries. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse, stringify } from 'yaml'
import { METRICS } from '../../src/telemetry/metric-list.ts'
import { filesOfPackage } from '../helpers/debian-packages.ts'
import { endAll } from '../helpers/ending.ts'
import { send } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { WebhookReceiver } from '../helpers/webhook-receiver.ts'

const ROOT = new URL('../../', import.meta.url).pathname
const read = (path: string): Promise<string> => readFile(resolve(ROOT, path), 'utf8')

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[]
  }[]
}

interface Source {
  readonly type: string
  readonly uid: string
}
interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: Source
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly targets?: readonly {
    readonly expr: string
    readonly legendFormat: string
    readonly datasource: Source
  }[]
}
interface Dashboard {
  readonly uid: string
  readonly schemaVersion: number
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] }
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly definition?: string }[]
  }
  readonly panels: readonly Panel[]
}

const dashboards = (await readdir(resolve(ROOT, 'deploy/grafana')))
  .filter((name) => name.endsWith('.json'))
  .map((name) => `deploy/grafana/${name}`)
const open = async (path: string): Promise<Dashboard> => JSON.parse(await read(path)) as Dashboard
const rules = async () =>
  (parse(await read('deploy/prometheus/alerts.yaml')) as Rules).groups.flatMap(
    (group) => group.rules,
  )

/** Returns all queries of a dashboard. */
const queriesOf = ({ panels, annotations }: Dashboard): string[] => [
  ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...annotations.list.flatMap(({ expr = [] }) => expr),
]

const namesIn = (text: string): string[] =>
  text.match(/\b(?:channelstream|nodejs|process)_\w+/g) ?? []

/** What each server measures itself. */
const MEASURED = ['store_answer_seconds', 'store_announce_seconds']
/** Metrics for which all servers of an installation report the same value. */
const OF_STORE = METRICS.filter(({ of, name }) => of === 'store' && !MEASURED.includes(name))

let metrics = ''
beforeAll(async () => {
  const receiver = await WebhookReceiver.start({ stopsWithTest: false })
  const server = await startServer({ webhook_url: receiver.url })
  await send(server, 'GET /health')
  metrics = (await send(server, 'GET /metrics')).text
  await server.close()
  await receiver.stop()
})
afterAll(endAll)

/** Returns the names of all series, for a histogram also those of its parts. */
function known(): Set<string> {
  const types = [...metrics.matchAll(/^# TYPE (\w+) (\w+)/gm)]
  return new Set(
    types.flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  )
}

describe('the alerts', () => {
  it('name only metrics that a server has', async () => {
    for (const { alert, expr } of await rules()) {
      const names = namesIn(expr)
      if (alert !== 'ChannelstreamDown') expect(names.length, alert).toBeGreaterThan(0)
      for (const name of names) expect(known(), alert).toContain(name)
    }
  })

  it('are each explained to operators, and no others', async () => {
    const page = await read('docs/operations.md')
    const explained = [...page.matchAll(/^\| `(Channelstream\w+)` /gm)].map(([, alert]) => alert)
    const names = (await rules()).map(({ alert }) => alert)
    expect(explained.toSorted()).toEqual(names.toSorted())
  })
})

describe.each(dashboards)('%s', (path) => {
  it('names only metrics that a server has, and shows all of its own', async () => {
    const dashboard = await open(path)
    const variables = dashboard.templating.list.map(({ definition = '' }) => definition)
    const names = namesIn([...queriesOf(dashboard), ...variables].join('\n'))
    for (const name of names) expect(known()).toContain(name)
    const shown = new Set(names.map((name) => name.replace(/_bucket$/, '')))
    const missing = METRICS.map(({ name }) => name).filter(
      (name) => !shown.has(`channelstream_${name}`),
    )
    expect(missing).toEqual([])
  })

  it('groups by labels that these metrics have, and shows them', async () => {
    const { panels } = await open(path)
    for (const { targets = [], title } of panels)
      for (const { expr, legendFormat } of targets) {
        const ofMetrics = METRICS.filter(({ name }) =>
          namesIn(expr).some((found) => found.replace(/_bucket$/, '') === `channelstream_${name}`),
        ).flatMap((metric) => ('labels' in metric ? (metric.labels ?? []) : []))
        const has = new Set(['instance', 'le', ...ofMetrics])
        const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) =>
          list.split(', '),
        )
        const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label)
        for (const label of [...grouped, ...shown]) expect(has, title).toContain(label)
      }
  })

  it('never adds up what every server reports', async () => {
    const wrong = queriesOf(await open(path)).filter(
      (expr) =>
        expr.includes('sum') &&
        namesIn(expr).some((found) =>
          OF_STORE.some(({ name }) => found === `channelstream_${name}`),
        ),
    )
    expect(wrong).toEqual([])
  })

  it('has a place, a unit, an explanation and the chosen data source in each panel', async () => {
    const { panels, schemaVersion } = await open(path)
    expect(schemaVersion).toBeGreaterThanOrEqual(41)
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = new Set<string>()
    for (const { gridPos, ...panel } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(x, panel.title).toBeLessThan(24)
          expect(cells, panel.title).not.toContain(`${x},${y}`)
          cells.add(`${x},${y}`)
        }
      if (panel.type === 'row') continue
      expect(panel.description, panel.title).toMatch(/\.$/)
      expect(panel.fieldConfig?.defaults.unit, panel.title).toBeTypeOf('string')
      for (const { uid } of [panel, ...(panel.targets ?? [])].map(({ datasource }) => datasource!))
        expect(uid).toBe('${datasource}')
      for (const { expr } of panel.targets ?? []) expect(expr).toContain('instance=~"$instance"')
    }
  })
})

describe('promtool', { timeout: 300_000 }, () => {
  let promtool = ''
  beforeAll(async () => {
    promtool = join(await filesOfPackage('prometheus'), 'usr/bin/promtool')
  }, 300_000)

  async function run(args: readonly string[], input = '') {
    const child = spawn(promtool, args, { cwd: ROOT })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stdin.end(input)
    const [code] = (await once(child, 'close')) as [number]
    return { code, output }
  }

  it.each([
    ['check', 'rules', 'deploy/prometheus/alerts.yaml'],
    ['check', 'config', 'deploy/prometheus/prometheus.yaml'],
    ['test', 'rules', 'test/deploy/alerts.yaml'],
  ])('passes %s %s %s', async (...args) => {
    const { code, output } = await run(args)
    expect(code, output).toBe(0)
    expect(output).toContain('SUCCESS')
  })

  it.each(dashboards)('can parse every query of %s', async (path) => {
    const queries = queriesOf(await open(path))
    expect(queries.length).toBeGreaterThan(30)
    const recordings = queries.map((query, index) => ({
      record: `query_${index}`,
      expr: query.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
    }))
    const folder = await mkdtemp(join(tmpdir(), 'channelstream-queries-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const file = join(folder, 'queries.yaml')
    await writeFile(file, stringify({ groups: [{ name: 'queries', rules: recordings }] }))
    const { code, output } = await run(['check', 'rules', file])
    expect(code, output).toBe(0)
    expect(output).toContain(`${queries.length} rules found`)
  })

  it('finds nothing wrong with the metrics of a server', async () => {
    const { output } = await run(['check', 'metrics'], metrics)
    const own = output.split('\n').filter((line) => line !== '' && !isOfNode(line))
    expect(own).toEqual([])
  })
})

/** Gauges of prom-client whose names end like those of counters. */
const isOfNode = (line: string): boolean =>
  /^nodejs_active_\w+_total non-counter metrics/.test(line)
