/** What the tests of the documentation read out of its pages. */
import { readFile, readdir } from 'node:fs/promises'

/** The project's root, with a slash at its end. */
export const ROOT = new URL('../../', import.meta.url)

export interface Fence {
  readonly language: string
  readonly text: string
}

export interface Heading {
  readonly level: number
  readonly text: string
}

/** The text of a page, seen from the root. */
export const readPage = (path: string): Promise<string> => readFile(new URL(path, ROOT), 'utf8')

/** Every page of the documentation, seen from the root. */
export async function allPages(): Promise<string[]> {
  const inDocs = await readdir(new URL('docs/', ROOT), { recursive: true })
  const pages = inDocs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...pages.sort()]
}

/** The fenced blocks of a page, in order. */
export function fencesOf(page: string): Fence[] {
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
  }))
}

export const fencesIn = (page: string, language: string): string[] =>
  fencesOf(page).flatMap((fence) => (fence.language === language ? [fence.text] : []))

/** The part of a page under a heading, up to the next one of that level or above. */
export function sectionOf(page: string, title: string): string {
  const lines = page.split('\n')
  const headings = hideFences(page).split('\n').map(headingOf)
  const start = headings.findIndex((heading) => heading?.text === title)
  if (start < 0) throw new Error(`there is no heading ${title}`)
  const level = headings[start]?.level ?? 0
  const length = headings.slice(start + 1).findIndex((heading) => (heading?.level ?? 7) <= level)
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join('\n')
}

export function headingsOf(page: string): Heading[] {
  return hideFences(page)
    .split('\n')
    .flatMap((line) => headingOf(line) ?? [])
}

/** The anchor that a heading gets on the web. */
export function anchorOf(heading: string): string {
  const kept = heading.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, '')
  return kept.trim().replaceAll(' ', '-')
}

/** The targets of the links of a page. */
export function linksOf(page: string): string[] {
  return [...hideFences(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
}

function headingOf(line: string): Heading | undefined {
  const match = /^(#{1,6}) (.+)$/.exec(line)
  return match ? { level: match[1]?.length ?? 0, text: match[2] ?? '' } : undefined
}

/** The page with blank lines for its blocks, in which `#` begins comments and brackets mean other things. */
const hideFences = (page: string): string =>
  page.replace(/^```.*?^```$/gms, (block) => block.replace(/.*/g, ''))
