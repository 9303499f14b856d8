import type { Json } from './scenario.ts'

const NAME = /^\$[A-Za-z]\w*$/
const NAMES = /\$[A-Za-z]\w*/g

export function isName(text: string): boolean {
  return NAME.test(text)
}

/** The values that a scenario's `$names` stand for. */
export class Bindings {
  #values: ReadonlyMap<string, string> = new Map()

  get(name: string): string | undefined {
    return this.#values.get(name)
  }

  nameOf(value: string): string | undefined {
    for (const [name, bound] of this.#values) if (bound === value) return name
    return undefined
  }

  bind(name: string, value: string): void {
    this.#values = new Map([...this.#values, [name, value]])
  }

  /** For an attempt that may have to be taken back: call what is returned to forget what came since. */
  mark(): () => void {
    const values = this.#values
    return () => {
      this.#values = values
    }
  }

  /** The value of a name; other text is left as it is. */
  resolve(text: string): string {
    if (!isName(text)) return text
    const value = this.get(text)
    if (value === undefined) throw new Error(`${text} is not bound yet`)
    return value
  }

  /** A value to be sent, with names replaced and `@repeat` and `@times` written out. */
  fill(value: Json, turn?: number): Json {
    if (value === '@i' && turn !== undefined) return turn
    if (typeof value === 'string') return this.resolve(value)
    if (Array.isArray(value)) return value.flatMap((element) => this.#fillElement(element, turn))
    if (typeof value !== 'object' || value === null) return value
    if (value['@repeat'] !== undefined) {
      const [text, times] = value['@repeat'] as [string, number]
      return text.repeat(times)
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [this.get(key) ?? key, this.fill(inner, turn)]),
    )
  }

  /** Text in which names may stand anywhere; unknown ones are left as they are. */
  fillText(text: string): string {
    return text.replace(NAMES, (name) => this.get(name) ?? name)
  }

  /** A list, so that `@times` can become many elements or none. */
  #fillElement(element: Json, turn: number | undefined): Json[] {
    if (typeof element === 'object' && element !== null && !Array.isArray(element)) {
      if (element['@times'] !== undefined) {
        const [times, template] = element['@times'] as [number, Json]
        return Array.from({ length: times }, (_, index) => this.fill(template, index))
      }
    }
    return [this.fill(element, turn)]
  }
}
