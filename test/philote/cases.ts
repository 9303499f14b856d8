import { readdirSync, readFileSync } from 'node:fs'

/** The recorded cases: the behaviour of the two original servers, step by step. */
export interface Case {
  /** `theme/name`. */
  readonly label: string
  readonly generation: 'jwt' | 'redis'
  /** The rule that it shows. */
  readonly about: string
  readonly steps: readonly Step[]
  /** The server's environment; null unsets a variable. */
  readonly env?: Readonly<Record<string, string | null>>
  readonly start?: 'fails'
  /** Play it alone, without concurrent cases. */
  readonly alone?: true
}

/** One step. Its fields depend on its kind. */
export interface Step {
  readonly do: string
  readonly [field: string]: unknown
}

const GENERATIONS: Readonly<Record<string, Case['generation']>> = {
  '0.3.1': 'jwt',
  '0.1.3': 'redis',
}

const FOLDER = new URL('scenarios/', import.meta.url)

interface Theme {
  readonly theme: string
  readonly cases: readonly (Omit<Case, 'label' | 'generation'> & {
    readonly name: string
    readonly generation: string
  })[]
}

export function loadCases(): Case[] {
  return readdirSync(FOLDER)
    .sort()
    .flatMap((file) => {
      const { theme, cases } = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Theme
      return cases.map(({ name, generation, ...rest }) => ({
        ...rest,
        label: `${theme}/${name}`,
        generation: GENERATIONS[generation] ?? unknownGeneration(generation),
      }))
    })
}

function unknownGeneration(version: string): never {
  throw new Error(`no generation has the version ${version}`)
}

/** A field that is a text, or a number as text. */
export function asText(value: unknown, fallback = ''): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : fallback
}

/** Whether a case has a step of this kind, at any depth. */
export const doesStep = ({ steps }: Pick<Case, 'steps'>, what: string): boolean =>
  JSON.stringify(steps).includes(`"do":"${what}"`)
