/** The files in `deploy/kubernetes/`: checked by schemas and against the server, but not run by Kubernetes. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { SETTING_BY_NAME } from '../../src/config/schema.ts'
import { endAll } from '../helpers/ending.ts'
import { send } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { ensurePythonPackages } from '../helpers/python-packages.ts'
import { RedisServer } from '../helpers/redis.ts'

const run = promisify(execFile)
const FOLDER = new URL('../../deploy/kubernetes/', import.meta.url).pathname
const OVERLAYS = ['cluster', 'autoscaled', 'single'] as const
const MOUNT = '/run/secrets/channelstream/'

type Labels = Readonly<Record<string, string>>
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
  readonly failureThreshold?: number
}
interface Container {
  readonly name: string
  readonly image: string
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
  readonly securityContext: object
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
}
interface Pod {
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: { readonly runAsUser: number; readonly fsGroup: number }
  readonly topologySpreadConstraints?: readonly { labelSelector: { matchLabels: Labels } }[]
  readonly containers: readonly [Container]
  readonly volumes: readonly { readonly name: string; readonly secret: { secretName: string } }[]
}
interface Workload {
  readonly replicas?: number
  readonly serviceName?: string
  readonly selector: { readonly matchLabels: Labels }
  readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod }
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[]
}
interface Resource<Spec> {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: Spec
  readonly data?: Readonly<Record<string, string>>
}
type Resources = readonly Resource<unknown>[]

function one<Spec>(resources: Resources, ...kinds: readonly string[]): Resource<Spec> {
  const [found, ...others] = resources.filter(({ kind }) => kinds.includes(kind))
  expect(others).toEqual([])
  if (!found) throw new Error(`there is no ${kinds.join(' or ')}`)
  return found as Resource<Spec>
}

describe('the resources for Kubernetes', { timeout: 300_000 }, () => {
  let folder: string
  const rendered = new Map<string, Resources>()
  let missing: string | undefined

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'channelstream-kubernetes-'))
    await cp(FOLDER, folder, { recursive: true })
    for (const overlay of ['cluster', 'single']) {
      await mkdir(join(folder, overlay, 'secrets'), { recursive: true })
      for (const name of ['secret', 'admin_secret', 'redis_url'])
        await writeFile(join(folder, overlay, 'secrets', name), `the ${name} of these tests\n`)
    }
    for (const overlay of OVERLAYS) {
      const kustomize = run('kubectl', ['kustomize', join(folder, overlay)])
      const output = await kustomize.catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
        missing = 'kubectl is missing, which puts the resources together'
      })
      if (!output) return
      await writeFile(join(folder, `${overlay}.yaml`), output.stdout)
      const documents = parseAllDocuments(output.stdout)
      rendered.set(
        overlay,
        documents.map((document) => document.toJS() as Resource<unknown>),
      )
    }
  }, 300_000)
  afterAll(async () => {
    await endAll()
    await rm(folder, { recursive: true })
  })

  /** The settings of an overlay, as its pods get them. */
  const settingsOf = async (overlay: string): Promise<Record<string, string>> => {
    const text = await readFile(join(FOLDER, overlay, 'settings.env'), 'utf8')
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2))) as Record<
      string,
      string
    >
  }

  it.each(['cluster', 'single'])('set only what there is (%s)', async (overlay) => {
    const files = new Set([...SETTING_BY_NAME.values()].map(({ fileName }) => fileName))
    const kustomization = parse(
      await readFile(join(FOLDER, overlay, 'kustomization.yaml'), 'utf8'),
    ) as { secretGenerator: [{ files: string[] }] }
    const secrets = kustomization.secretGenerator[0].files.map((file) => MOUNT + basename(file))
    const named: string[] = []
    for (const [variable, value] of Object.entries(await settingsOf(overlay))) {
      const name = variable.replace('CHANNELSTREAM_', '').toLowerCase()
      expect(SETTING_BY_NAME.has(name) || files.has(name), variable).toBe(true)
      if (files.has(name)) named.push(value)
    }
    expect(named.toSorted()).toEqual(secrets.toSorted())
  })

  it('have no secrets in the repository', async () => {
    const { stdout } = await run('git', ['ls-files', '-z', '--', 'deploy/kubernetes'], {
      cwd: join(FOLDER, '../..'),
    })
    expect(stdout.split('\0').filter((name) => name.includes('secrets'))).toEqual([])
    const names = await readdir(FOLDER, { recursive: true })
    const manifests = names.filter((name) => name.endsWith('.yaml'))
    for (const name of manifests)
      expect(await readFile(join(FOLDER, name), 'utf8')).not.toContain('kind: Secret')
  })

  it.for(OVERLAYS)('pass the schemas of Kubernetes (%s)', async (overlay, context) => {
    if (missing !== undefined) return context.skip(missing)
    const python = await ensurePythonPackages()
    if (python.missing !== undefined) return context.skip(python.missing)
    const file = join(folder, `${overlay}.yaml`)
    const validate = (path: string) =>
      run(join(python.bin, 'kubernetes-validate'), ['--strict', path])
    await validate(file)
    const wrong = join(folder, `${overlay}-wrong.yaml`)
    const text = await readFile(file, 'utf8')
    await writeFile(wrong, text.replace('enableServiceLinks', 'enableServicesLinks'))
    await expect(validate(wrong)).rejects.toMatchObject({ code: 1 })
  })

  it.for(OVERLAYS)('fit together (%s)', (overlay, context) => {
    if (missing !== undefined) return context.skip(missing)
    const all = rendered.get(overlay) ?? []
    const workload = one<Workload>(all, 'Deployment', 'StatefulSet')
    const { selector, template, serviceName, volumeClaimTemplates: claims = [] } = workload.spec
    const { labels } = template.metadata
    const service = one<{ selector: Labels; ports: [{ targetPort: string }] }>(all, 'Service')
    const [container] = template.spec.containers
    expect(labels).toMatchObject(selector.matchLabels)
    expect(labels).toMatchObject(service.spec.selector)
    for (const { labelSelector } of template.spec.topologySpreadConstraints ?? [])
      expect(labels).toMatchObject(labelSelector.matchLabels)
    if (serviceName !== undefined) expect(serviceName).toBe(service.metadata.name)
    const [port] = container.ports
    expect(port?.containerPort).toBe(parseConfig({}).port)
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const)
      expect(container[probe].httpGet.port).toBe(port?.name)
    expect(service.spec.ports[0].targetPort).toBe(port?.name)
    const config = one(all, 'ConfigMap').metadata.name
    const secret = one(all, 'Secret').metadata.name
    expect(container.envFrom).toEqual([{ configMapRef: { name: config } }])
    expect(template.spec.volumes.map((volume) => volume.secret.secretName)).toEqual([secret])
    const volumes = [...template.spec.volumes, ...claims.map(({ metadata }) => metadata)]
    expect(container.volumeMounts.map(({ name }) => name).toSorted()).toEqual(
      volumes.map(({ name }) => name).toSorted(),
    )
    expect(container.volumeMounts.map(({ mountPath }) => `${mountPath}/`)).toContain(MOUNT)
  })

  it.for(OVERLAYS)('give a pod few rights, and time to end (%s)', async (overlay, context) => {
    if (missing !== undefined) return context.skip(missing)
    const all = rendered.get(overlay) ?? []
    const { spec } = one<Workload>(all, 'Deployment', 'StatefulSet').spec.template
    const settings = await settingsOf(overlay === 'autoscaled' ? 'cluster' : overlay)
    const seconds = (name: string): number => Number(settings[`CHANNELSTREAM_${name}`])
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(
      seconds('SHUTDOWN_DELAY') + seconds('SHUTDOWN_GRACE'),
    )
    const image = await readFile(join(FOLDER, '../../Dockerfile'), 'utf8')
    expect(image).toContain(`USER ${spec.securityContext.runAsUser}:`)
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, fsGroup: 1000 })
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  })

  it('keep two of three servers, or as many as their connections need', async (context) => {
    if (missing !== undefined) return context.skip(missing)
    const cluster = rendered.get('cluster') ?? []
    expect(one<Workload>(cluster, 'Deployment').spec.replicas).toBe(3)
    const budget = one<{ maxUnavailable: number; selector: object }>(cluster, 'PodDisruptionBudget')
    expect(budget.spec).toMatchObject({
      maxUnavailable: 1,
      selector: one<Workload>(cluster, 'Deployment').spec.selector,
    })
    const autoscaled = rendered.get('autoscaled') ?? []
    // The autoscaler sets the number.
    expect(one<Workload>(autoscaled, 'Deployment').spec.replicas).toBeUndefined()
    const { spec } = one<{
      scaleTargetRef: { kind: string; name: string }
      metrics: [{ pods: { metric: { name: string } } }]
    }>(autoscaled, 'HorizontalPodAutoscaler')
    expect(one(autoscaled, spec.scaleTargetRef.kind).metadata.name).toBe(spec.scaleTargetRef.name)
    const adapter = await readFile(join(FOLDER, 'autoscaled/prometheus-adapter.yaml'), 'utf8')
    expect(adapter).toContain(`seriesQuery: ${spec.metrics[0].pods.metric.name}{`)
  })

  it.each(['cluster', 'single'])('start a server that the probes find (%s)', async (overlay) => {
    const redis = overlay === 'cluster' ? await RedisServer.start() : undefined
    if (redis) await writeFile(join(folder, overlay, 'secrets', 'redis_url'), redis.url)
    const settings = Object.entries(await settingsOf(overlay)).map(([name, value]) => [
      name,
      value.replace(MOUNT, `${join(folder, overlay, 'secrets')}/`).replace('/data', 'data'),
    ])
    const env = Object.fromEntries(settings) as Record<string, string>
    const server = await ServerProcess.start({ env: { ...env, CHANNELSTREAM_SHUTDOWN_DELAY: '0' } })
    const file = overlay === 'cluster' ? 'deployment.yaml' : 'statefulset.yaml'
    const { spec } = parse(
      await readFile(join(FOLDER, overlay, file), 'utf8'),
    ) as Resource<Workload>
    const [{ startupProbe, livenessProbe, readinessProbe }] = spec.template.spec.containers
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe])
      expect((await send(server, `GET ${httpGet.path}`)).status).toBe(200)
    // Only for the network of the pods.
    expect((await send(server, 'GET /metrics')).status).toBe(403)
    server.signal('SIGTERM')
    expect(await server.ended()).toEqual({ code: 0, signal: null })
  })
})
