import { readFileSync } from 'node:fs'
import { TLS_FILES } from '../config/redis-tls.ts'
import { reasonOf } from '../lib/reason.ts'
import type { Config } from '../config/schema.ts'
import type { Certificates } from '../lib/redis-url.ts'

/** Reads the files for TLS with Redis. Throws an error with the setting and the path if a file cannot be used. */
export function readCertificates(config: Config): Certificates {
  const given = Object.entries(TLS_FILES).filter(([, setting]) => config[setting] !== '')
  return Object.fromEntries(
    given.map(([name, setting]) => [name, readPem(setting, config[setting])]),
  )
}

const PEM = /-----BEGIN [A-Z ]+-----/

function readPem(setting: string, path: string): string {
  let text
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`${setting}: ${path} cannot be read: ${reasonOf(error)}`, { cause: error })
  }
  if (!PEM.test(text)) throw new Error(`${setting}: ${path} is not in PEM`)
  return text
}
