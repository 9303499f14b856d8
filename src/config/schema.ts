/** All settings: the schema that reads them, and the documentation of each. */
import { z } from 'zod'
import { CHANNELS, type ChannelSection } from './channels.ts'
import { LIMITS, TIMING } from './limits.ts'
import { LOGGING } from './logging.ts'
import { REQUESTS } from './requests.ts'
import { SCALING } from './scaling.ts'
import { CALLERS, LINKS, LISTENING, PHILOTE, SECRETS, STORAGE } from './settings.ts'
import { USER_LIMITS } from './user-limits.ts'
import { SETTING_INFO, type SettingInfo } from './values.ts'
import { WEBHOOKS } from './webhooks.ts'

/** The settings by section, in the order of the documentation page and the example file. */
const SECTIONS = {
  Listening: LISTENING,
  Secrets: SECRETS,
  'Who may call': CALLERS,
  Links: LINKS,
  Channels: CHANNELS,
  Webhooks: WEBHOOKS,
  Philote: PHILOTE,
  'Data on disk': STORAGE,
  'More than one server': SCALING,
  Logging: LOGGING,
  Timing: TIMING,
  'Memory and limits': LIMITS,
  'Limits on users': USER_LIMITS,
  Requests: REQUESTS,
}

/**
 * Reads an object of settings by name. Missing and empty settings get their defaults. Unknown names are
 * faults. Use `loadConfig` or `parseConfig`, which also check the rules between settings.
 */
export const ConfigSchema = z.strictObject({
  ...LISTENING,
  ...SECRETS,
  ...CALLERS,
  ...LINKS,
  ...CHANNELS,
  ...WEBHOOKS,
  ...PHILOTE,
  ...STORAGE,
  ...SCALING,
  ...LOGGING,
  ...TIMING,
  ...LIMITS,
  ...USER_LIMITS,
  ...REQUESTS,
})

/** Every setting with its value, by its name in the ini file. Frozen. */
export type Config = Readonly<z.output<typeof ConfigSchema>>
export type SettingName = keyof Config
/** A value that is shown as one text. Sections of channels are shown as sections. */
export type PlainValue = Exclude<Config[SettingName], readonly ChannelSection[]>

/** The documentation of one setting. */
export interface Setting extends SettingInfo {
  readonly name: SettingName
  readonly section: string
  /** For sections of channels, an empty list. */
  readonly default: PlainValue
  /** The environment variable, such as `CHANNELSTREAM_PORT`. */
  readonly variable: string
  /** The flag, such as `--heartbeat-interval`. */
  readonly flag: string
  /** For secrets: the name of the setting that names a file with the value, such as `secret_file`. */
  readonly fileName: string | undefined
}

/** Every setting, in the order of the documentation page and the example file. */
export const SETTINGS: readonly Setting[] = Object.entries(SECTIONS).flatMap(([section, shape]) =>
  Object.keys(shape).map((name) => describeSetting(name as SettingName, section)),
)

/** Settings by name. A map and not an object, so that `constructor` is an unknown name. */
export const SETTING_BY_NAME: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.map((setting) => [setting.name, setting]),
)

/** Secrets by the names of the settings that name files with them. */
export const SECRET_BY_FILE_NAME: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.flatMap((setting) =>
    setting.fileName === undefined ? [] : [[setting.fileName, setting] as const],
  ),
)

/** Settings of the Python server that this server ignores, with the reason for the log. */
export const OLD_SETTINGS: ReadonlyMap<string, string> = new Map([
  ['demo', 'this server has no built-in demo; the demos are separate applications'],
  ['demo_app_url', 'this server has no built-in demo; the demos are separate applications'],
])

function describeSetting(name: SettingName, section: string): Setting {
  const schema = ConfigSchema.shape[name]
  const info = SETTING_INFO.get(schema)
  if (info === undefined) throw new Error(`the setting ${name} has no description`)
  return {
    ...info,
    name,
    section,
    default: schema.parse(undefined) as PlainValue,
    variable: `CHANNELSTREAM_${name.toUpperCase()}`,
    flag: `--${name.replaceAll('_', '-')}`,
    fileName: info.isSecret ? `${name}_file` : undefined,
  }
}
