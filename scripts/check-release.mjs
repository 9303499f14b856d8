/**
 * Checks that a tag, both packages, the lock file and CHANGELOG.md say the same version:
 *
 *     npm run check:release -- v1.2.3
 */
import { readFileSync } from 'node:fs'

const [tag = ''] = process.argv.slice(2)
const read = (path) => readFileSync(path, 'utf8')
const json = (path) => JSON.parse(read(path))

const { version, repository } = json('package.json')
const client = json('frontend/client/package.json')
const section = new RegExp(
  `^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d\\d-\\d\\d$`,
  'm',
)
const faults = [
  [tag === `v${version}`, `the tag is ${tag}, and package.json has ${version}`],
  [client.version === version, `frontend/client/package.json has ${client.version}`],
  [json('package-lock.json').version === version, 'package-lock.json has another version'],
  [section.test(read('CHANGELOG.md')), `CHANGELOG.md has no section [${version}] with a date`],
  [
    repository !== undefined && client.repository !== undefined,
    'a package.json has no "repository", which npm compares with the provenance',
  ],
].flatMap(([isRight, fault]) => (isRight ? [] : [fault]))

for (const fault of faults) process.stderr.write(`${fault}\n`)
process.exitCode = faults.length > 0 ? 1 : 0
