/** Reads the pages of the documentation, for its tests. */
import { readFile, readdir } from 'node:fs/promises'

/** The root of the project, with a slash at the end. */
export const ROOT = new URL('../../', import.meta.url)

export interface Fence {
  readonly language: string
  readonly text: string
}

export interface Heading {
  readonly level: number
  readonly text: string
}

/** Returns the text of a page. The path is relative to the root. */
export const readPage = (path: string): Promise<string> => readFile(new URL(path, ROOT), 'utf8')

/** Returns the paths of all pages, relative to the root. */
export async function allPages(): Promise<string[]> {
  const inDocs = await readdir(new URL('docs/', ROOT), { recursive: true })
  const pages = inDocs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...pages.sort()]
}

/** Returns the fenced blocks of a page, in order. */
export function fencesOf(page: string): Fence[] {
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
  }))
}

export const fencesIn = (page: string, language: string): string[] =>
  fencesOf(page).flatMap((fence) => (fence.language === language ? [fence.text] : []))

/** Returns the part of a page under a heading, up to the next heading of the same or a higher level. */
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

/** Returns the anchor of a heading on the web. */
export function anchorOf(heading: string): string {
  const kept = heading.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, '')
  return kept.trim().replaceAll(' ', '-')
}

/** Returns the targets of the links in a page. */
export function linksOf(page: string): string[] {
  return [...hideFences(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
}

function headingOf(line: string): Heading | undefined {
  const match = /^(#{1,6}) (.+)$/.exec(line)
  return match ? { level: match[1]?.length ?? 0, text: match[2] ?? '' } : undefined
}

/** Replaces code blocks by blank lines: in them, `#` begins comments, and brackets are not links. */
const hideFences = (page: string): string =>
  page.replace(/^```.*?^```$/gms, (block) => block.replace(/.*/g, ''))
