import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { helpText } from '../../src/cli/arguments.ts'
import { renderIni } from '../../src/cli/make-config.ts'
import { RELOADED_SETTINGS } from '../../src/config/reloading.ts'
import { ConfigSchema, OLD_SETTINGS, SETTINGS } from '../../src/config/schema.ts'

describe('ConfigSchema', () => {
  it.each(['', '  ', undefined, null])('gives the default for %j', (empty) => {
    const settings = Object.fromEntries(SETTINGS.map(({ name }) => [name, empty]))
    expect(ConfigSchema.parse(settings)).toEqual(ConfigSchema.parse({}))
  })
})

describe('documents', () => {
  it('have the example file as it is rendered', async () => {
    expect(await readFile('channelstream.ini.example', 'utf8')).toBe(renderIni())
  })

  it('have the page docs/configuration.md as it is rendered', async () => {
    const script = new URL('../../scripts/docs.mjs', import.meta.url).href
    const { renderPage } = (await import(script)) as {
      renderPage: (
        settings: typeof SETTINGS,
        old: typeof OLD_SETTINGS,
        reloaded: typeof RELOADED_SETTINGS,
      ) => string
    }
    expect(await readFile('docs/configuration.md', 'utf8')).toBe(
      renderPage(SETTINGS, OLD_SETTINGS, RELOADED_SETTINGS),
    )
  })

  it.each(SETTINGS)('tell name, default, variable and flag of $name', async (setting) => {
    const page = await readFile('docs/configuration.md', 'utf8')
    const row = page.split('\n').find((line) => line.startsWith(`| \`${setting.name}\` `))
    const value = [setting.default].flat().join(', ')
    expect(row).toContain(value === '' ? '| empty |' : `| \`${value}\` |`)
    expect(row).toContain(`\`${setting.variable}\``)
    expect(row).toContain(`\`${setting.flag}\``)
    expect(helpText()).toContain(setting.flag)
  })

  it('describe every setting of the schema, and no others', () => {
    expect(SETTINGS.map(({ name }) => name)).toEqual(Object.keys(ConfigSchema.shape))
    for (const { description } of SETTINGS) expect(description).toMatch(/\.$/)
  })
})
