import { afterAll, describe, expect, it, vi } from 'vitest'
import { ConfigError } from '../../src/config/load.ts'
import { loadPhilote } from '../../src/config/philote-environment.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { loadCases } from './cases.ts'
import { play } from './player.ts'
import { SECRET, startPhilote } from './start.ts'
import type { Case } from './cases.ts'

// The cases mostly wait, so many can run concurrently.
vi.setConfig({ maxConcurrency: 6 })

afterAll(killProcesses)

/** The environment of a case, in addition to that of a test server. */
function environmentOf({ env = {} }: Case): Record<string, string> {
  const given = Object.entries({ SECRET, LOGLEVEL: 'error', ...env })
  return Object.fromEntries(given.filter(([, value]) => value !== null))
}

/** Plays a case against a server in this process, or in a separate process if time or CPU matters. */
async function playJwt(played: Case): Promise<void> {
  const env = environmentOf(played)
  const secret = env['SECRET'] ?? ''
  if (played.alone) {
    const server = await ServerProcess.startPhilote({ env })
    return play(played, { port: server.port, secret, pid: server.pid }).finally(() => server.kill())
  }
  const server = await startPhilote(env)
  return play(played, { port: server.port, secret }).finally(() => server.close())
}

const cases = loadCases()

describe('recorded cases', () => {
  it('are all there', () => {
    const count = (of: Case['generation']): number =>
      cases.filter(({ generation }) => generation === of).length
    expect({ jwt: count('jwt'), redis: count('redis') }).toEqual({ jwt: 174, redis: 112 })
  })
})

const jwtCases = cases.filter(({ generation }) => generation === 'jwt')

describe.concurrent('recorded cases of the JWT generation', () => {
  for (const played of jwtCases.filter(({ alone }) => !alone)) {
    const { label, about } = played
    it(`${label}: ${about}`, { timeout: 90_000 }, async () => {
      if (played.start !== 'fails') return playJwt(played)
      expect(() => loadPhilote([], environmentOf(played))).toThrow(ConfigError)
    })
  }
})

describe('recorded cases of the JWT generation, one by one', () => {
  for (const played of jwtCases.filter(({ alone }) => alone)) {
    const { label, about } = played
    it(`${label}: ${about}`, { timeout: 90_000 }, () => playJwt(played))
  }
})
