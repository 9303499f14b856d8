import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConfigInput } from '../../src/config/load.ts'

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject {
  [key: string]: Json
}

export interface Scenario {
  readonly name: string
  readonly theme: string
  readonly why: string
  readonly steps: readonly Step[]
  /** Settings of the server, by their names in the ini file. */
  readonly ini?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  /** How long it takes. Missing if it is short. */
  readonly seconds?: number
  readonly deviation?: string
  /** With `ignore`, unexpected messages at the end do not fail the scenario. */
  readonly leftovers?: 'ignore'
}

/** `true`, the default, signs in the header with the server's secret; `false` does not sign. */
export type Signing =
  | boolean
  | { readonly text: string; readonly in?: 'header' | 'query' }
  | {
      readonly value?: string
      readonly secret?: string
      /** Seconds ago. */
      readonly age?: number
      readonly epoch?: number
      readonly tamper?: boolean
      readonly in?: 'header' | 'query'
    }

/** The request of a step, with at most one of the four bodies. */
export interface RequestParts {
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly sign?: Signing
  readonly jar?: boolean
  readonly json?: Json
  readonly raw?: string
  readonly hex?: string
  readonly form?: Readonly<Record<string, string>>
}

/** Values are names of sockets and polls. Durations are in milliseconds. */
export interface StepKinds {
  http: RequestParts & { readonly http: string; readonly expect?: Json }
  open: {
    readonly open: string
    readonly conn_id?: string
    readonly query?: Readonly<Record<string, string>>
    readonly headers?: Readonly<Record<string, string>>
    readonly path?: string
    readonly may_fail?: boolean
  }
  frames: {
    readonly frames: string
    readonly expect?: Json[]
    readonly one_each?: boolean
    readonly unordered?: boolean
    readonly within?: number
    readonly for?: number
  }
  silent: { readonly silent: string; readonly for?: number; readonly heartbeats?: boolean }
  heartbeats: { readonly heartbeats: string; readonly count?: number; readonly expect?: Json }
  closed: { readonly closed: string; readonly within?: number; readonly expect?: Json }
  alive: { readonly alive: string }
  close: { readonly close: string; readonly code?: number }
  kill: { readonly kill: string }
  send: { readonly send: string; readonly text?: string; readonly hex?: string }
  ping: { readonly ping: string }
  poll: RequestParts & {
    readonly poll: string
    readonly conn_id?: string
    readonly settle?: number
  }
  polled: { readonly polled: string; readonly expect?: Json }
  wait: { readonly wait: number }
}

export type StepKind = keyof StepKinds
export type Step = StepKinds[StepKind]

export interface ScenarioFile {
  /** Folder and name, as in `deviations/dev-late-websocket`. */
  readonly label: string
  readonly scenario: Scenario
}

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'scenarios')

/** Loads all scenarios, the long ones first, so that none of them starts last and prolongs the run. */
export function loadScenarios(): ScenarioFile[] {
  const paths = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json'))
    .toSorted()
  return paths
    .map((path) => {
      const scenario = JSON.parse(readFileSync(join(FOLDER, path), 'utf8')) as Scenario
      return { label: `${basename(dirname(join(FOLDER, path)))}/${scenario.name}`, scenario }
    })
    .toSorted((a, b) => (b.scenario.seconds ?? 0) - (a.scenario.seconds ?? 0))
}

/** Scenarios whose steps must fall into one time window get a longer window, since a busy machine may miss it. */
const PATIENCE: Readonly<Record<string, ConfigInput>> = { 'poll-gathers': { poll_gather: 1 } }

/** Returns the settings of the server for a scenario. */
export const settingsOf = ({ name, ini }: Scenario): ConfigInput => ({ ...PATIENCE[name], ...ini })
