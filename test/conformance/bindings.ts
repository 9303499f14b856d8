import type { Json } from './scenario.ts'

const NAME = /^\$[A-Za-z]\w*$/
const NAMES = /\$[A-Za-z]\w*/g

export function isName(text: string): boolean {
  return NAME.test(text)
}

/** The values of a scenario's `$names`. */
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

  /** Returns a function that removes all bindings made since, to undo an attempt. */
  mark(): () => void {
    const values = this.#values
    return () => {
      this.#values = values
    }
  }

  /** Returns the value of a name. Other text is returned unchanged. */
  resolve(text: string): string {
    if (!isName(text)) return text
    const value = this.get(text)
    if (value === undefined) throw new Error(`${text} is not bound yet`)
    return value
  }

  /** Returns a value to send: replaces names, and expands `@repeat` and `@times`. */
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

  /** Replaces names anywhere in the text. Unknown ones are left unchanged. */
  fillText(text: string): string {
    return text.replace(NAMES, (name) => this.get(name) ?? name)
  }

  /** Returns a list, since `@times` can expand to any number of elements. */
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
