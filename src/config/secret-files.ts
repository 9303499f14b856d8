/**
 * Reads secrets from files. `secret_file = /run/secrets/channelstream` in any source stands for the content of this file
 * as `secret`. systemd's `LoadCredential=channelstream.secret:…` needs no setting.
 */
import { reasonOf } from '../lib/reason.ts'
import { SECRET_BY_FILE_NAME, SETTING_BY_NAME, type Setting } from './schema.ts'
import { givenByName, type Gathered, type Given, type LoadInput } from './sources.ts'
import { isEmpty } from './values.ts'
import type { Fault } from './ini.ts'

/** What reads files for the configuration. */
export type FileAccess = Pick<LoadInput, 'env' | 'readFile' | 'listDirectory'>

/** systemd sets it to the directory of the credentials of a unit. */
const CREDENTIALS_VARIABLE = 'CREDENTIALS_DIRECTORY'
const CREDENTIAL_PREFIX = 'channelstream.'
/** The name of the whole configuration as a credential, as in the unit in `deploy/systemd`. */
const INI_CREDENTIAL = 'channelstream.ini'

interface SecretFile {
  readonly setting: Setting
  readonly path: string
  /** The setting, variable or flag that names the path, or the path of a credential. */
  readonly where: string
}

/**
 * Replaces the names of files in `given` by values, and adds the credentials. A file that cannot be read or is empty is
 * a fault, and so is a secret that is given in more than one of these ways. No fault contains the content of a file.
 */
export function readSecretFiles(given: readonly Given[], access: FileAccess): Gathered {
  const plain = given.filter(({ name }) => !SECRET_BY_FILE_NAME.has(name))
  const named = new Map(given.flatMap((one) => fileIn(one)).map((one) => [one.setting.name, one]))
  const credentials = listCredentials(access)
  const files = [...named.values(), ...credentials.files]
  const faults: Fault[] = [...credentials.faults]
  const read = files.flatMap((file): Given[] => {
    const value = contentOf(file, access)
    const other = otherPlace(file, plain, files)
    if (typeof value === 'object') faults.push(faultIn(file, value.problem))
    else if (other !== undefined)
      faults.push(faultIn(file, `${file.setting.name} is also given by ${other}; use one of them`))
    else return [{ ...givenByName(file.setting.name, value), where: placeOf(file) }]
    return []
  })
  return { given: [...plain, ...read], faults }
}

function fileIn({ name, value, where }: Given): SecretFile[] {
  const setting = SECRET_BY_FILE_NAME.get(name)
  return setting === undefined || isEmpty(value)
    ? []
    : [{ setting, path: String(value).trim(), where }]
}

function listCredentials({ env, listDirectory }: FileAccess): {
  readonly files: readonly SecretFile[]
  readonly faults: readonly Fault[]
} {
  const directory = env[CREDENTIALS_VARIABLE] ?? ''
  if (directory === '' || listDirectory === undefined) return { files: [], faults: [] }
  try {
    const files = listDirectory(directory).flatMap((name): SecretFile[] => {
      const isOurs = name.startsWith(CREDENTIAL_PREFIX) && name !== INI_CREDENTIAL
      const setting = SETTING_BY_NAME.get(name.slice(CREDENTIAL_PREFIX.length))
      const path = `${directory}/${name}`
      return isOurs && setting?.isSecret === true ? [{ setting, path, where: path }] : []
    })
    return { files, faults: [] }
  } catch (error) {
    const problem = `${directory} cannot be read: ${reasonOf(error)}`
    return { files: [], faults: [{ where: CREDENTIALS_VARIABLE, problem }] }
  }
}

/** Returns the content without the line feed at its end, or what is wrong. */
function contentOf(
  { path }: SecretFile,
  { readFile }: FileAccess,
): string | { readonly problem: string } {
  let text
  try {
    text = readFile(path)
  } catch (error) {
    return { problem: `${path} cannot be read: ${reasonOf(error)}` }
  }
  if (text.includes('\uFFFD')) return { problem: `${path} is not valid UTF-8` }
  const value = text.replace(/\r?\n$/, '')
  return isEmpty(value) ? { problem: `${path} is empty` } : value
}

/** Returns the other place that gives the same secret. */
function otherPlace(
  file: SecretFile,
  plain: readonly Given[],
  files: readonly SecretFile[],
): string | undefined {
  const { setting } = file
  const value = plain.findLast((one) => one.name === setting.name && !isEmpty(one.value))
  const other = files.find((one) => one.setting === setting && one !== file)
  return value?.where ?? (other && placeOf(other))
}

const placeOf = ({ path, where }: SecretFile): string =>
  where === path ? path : `${path} (${where})`

const faultIn = ({ setting, where }: SecretFile, problem: string): Fault => ({
  where,
  problem: `${setting.name}: ${problem}`,
})
