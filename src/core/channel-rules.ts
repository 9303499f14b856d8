import { listComplaints } from '../protocol/complaints.ts'
import { invalid } from '../protocol/errors.ts'
import { COMPLAINT } from '../protocol/fields.ts'
import { ChannelSettings } from '../protocol/requests.ts'
import type { Fault } from '../protocol/complaints.ts'
import type { ChannelName } from '../protocol/ids.ts'
import type { ChannelConfig } from '../protocol/requests.ts'
import type { Targets } from './messages.ts'

/** Settings for the channels that a pattern matches. */
export interface ChannelSection {
  /** The name of a channel, or the beginning of names and `*`. */
  readonly pattern: string
  readonly settings: ChannelConfig
}

export interface ChannelRulesOptions {
  readonly sections: readonly ChannelSection[]
  /** For what neither a request nor a section says. */
  readonly defaults: ChannelConfig
  /** Whether there may be channels that no section matches. */
  readonly allowUnlisted: boolean
}

type Configs = Readonly<Record<string, ChannelConfig>>
/** A name in a request, and the path to it. */
type Named = readonly [path: readonly string[], name: string]

const NO_RULES: ChannelRulesOptions = { sections: [], defaults: {}, allowUnlisted: true }
const NO_CONFIGS: Configs = {}

/**
 * Decides which settings a new channel gets, and which channels there may be.
 *
 * A setting is that of the request, else that of the section that matches the most characters of the name, else the
 * default.
 */
export class ChannelRules {
  readonly #names = new Map<string, ChannelSettings>()
  readonly #prefixes = new Map<string, ChannelSettings>()
  /** Lengths of prefixes, the longest first. */
  #lengths: readonly number[] = []
  #defaults = ChannelSettings.parse({})
  #allowUnlisted = true

  constructor(options: ChannelRulesOptions = NO_RULES) {
    this.change(options)
  }

  /** Applies to channels that are made from now on, and to requests for channels that there may not be. */
  change({ sections, defaults, allowUnlisted }: ChannelRulesOptions): void {
    this.#names.clear()
    this.#prefixes.clear()
    this.#defaults = ChannelSettings.parse(defaults)
    this.#allowUnlisted = allowUnlisted
    for (const { pattern, settings } of sections) {
      const whole = Object.freeze({ ...this.#defaults, ...settings }) as ChannelSettings
      if (pattern.endsWith('*')) this.#prefixes.set(pattern.slice(0, -1), whole)
      else this.#names.set(pattern, whole)
    }
    const lengths = new Set([...this.#prefixes.keys()].map(({ length }) => length))
    this.#lengths = [...lengths].sort((one, other) => other - one)
  }

  /** Returns the settings that these channels get if they are new. `configs`: what the request says. */
  settingsFor(
    names: readonly ChannelName[],
    configs: Configs = NO_CONFIGS,
  ): ReadonlyMap<ChannelName, ChannelSettings> {
    return new Map(
      names.map((name) => {
        const own = this.#sectionOf(name) ?? this.#defaults
        const given = Object.hasOwn(configs, name) ? configs[name] : undefined
        return [name, given ? Object.assign({}, own, given) : own]
      }),
    )
  }

  /** Whether there may be a channel with this name. */
  isListed(name: string): boolean {
    return this.#allowUnlisted || this.#sectionOf(name) !== undefined
  }

  /** Throws `INVALID` for a request that joins or configures channels that there may not be. */
  checkChannels(request: {
    readonly channels: readonly string[]
    readonly channel_configs: Configs
  }): void {
    if (this.#allowUnlisted) return
    this.#check([
      ...request.channels.map((name, index) => [['channels', String(index)], name] as const),
      ...Object.keys(request.channel_configs).map(
        (name) => [['channel_configs', name], name] as const,
      ),
    ])
  }

  /** The same for the names in a map of settings. */
  checkConfigs(configs: Configs): void {
    if (!this.#allowUnlisted) this.#check(Object.keys(configs).map((name) => [[name], name]))
  }

  /** The same for a list of messages, edits or deletes. */
  checkMessages(messages: readonly Targets<string>[]): void {
    if (this.#allowUnlisted) return
    this.#check(
      messages.flatMap(({ channel, channels = [] }, index): Named[] => [
        ...(channel === null ? [] : [[[String(index), 'channel'], channel] as const]),
        ...channels.map((name, at) => [[String(index), 'channels', String(at)], name] as const),
      ]),
    )
  }

  #check(names: readonly Named[]): void {
    const faults = names
      .filter(([, name]) => !this.isListed(name))
      .map(([path]): Fault => [path, COMPLAINT.unlisted])
    if (faults.length > 0) throw invalid(listComplaints(faults))
  }

  #sectionOf(name: string): ChannelSettings | undefined {
    const exact = this.#names.get(name)
    if (exact) return exact
    for (const length of this.#lengths) {
      const found = length <= name.length ? this.#prefixes.get(name.slice(0, length)) : undefined
      if (found) return found
    }
    return undefined
  }
}
