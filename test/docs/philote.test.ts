import { afterAll, expect, it } from 'vitest'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { fencesIn, readPage, sectionOf } from './markdown.ts'
import { run } from './running.ts'

afterAll(killProcesses)

it('docs/philote.md shows a first message that works as written', async () => {
  const page = await readPage('docs/philote.md')
  const [example = ''] = fencesIn(sectionOf(page, 'By itself'), 'js')
  const [command = ''] = fencesIn(sectionOf(page, 'By itself'), '')
  const [, secret = ''] = /SECRET=(\S+) node dist\/main.js philote/.exec(command) ?? []
  const server = await ServerProcess.startPhilote({ env: { SECRET: secret } })
  const script = example.replace('127.0.0.1:6380', `127.0.0.1:${server.port}`)
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script])
  expect(stdout).toBe('hello\n')
  expect(page).toContain('It prints `hello`.')
})
