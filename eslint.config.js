import js from '@eslint/js'
import perfectionist from 'eslint-plugin-perfectionist'
import tseslint from 'typescript-eslint'

const OUT_OF_BOUNDS = 'Against the direction of docs/architecture.md.'

const outOfBounds = (files, pattern) => ({
  files,
  rules: {
    'no-restricted-imports': ['error', { patterns: [{ ...pattern, message: OUT_OF_BOUNDS }] }],
  },
})

/** Whoever uses a store knows the contract only. */
const STORES = [
  '**/store/memory/**',
  '**/store/disk/**',
  '**/store/redis/**',
  '**/store/snapshot/**',
]

const OUTSIDE_OF_STORES = [
  '**/core/**',
  '**/http/**',
  '**/transports/**',
  '**/config/**',
  '**/app/**',
  'fastify*',
  'ws',
]

/** Which part may import what (docs/architecture.md). Each list names what is out of bounds. */
const arrows = [
  {
    files: ['src/protocol/**'],
    patterns: ['../*/**', '../*.ts', 'fastify*', 'ws', 'node:*', 'pino'],
  },
  {
    files: ['src/core/**'],
    patterns: [
      '../http/**',
      '../transports/**',
      '../philote/**',
      ...STORES,
      '../config/**',
      '../cli/**',
      '../telemetry/**',
      '../app/**',
      'fastify*',
      'ws',
      'node:*',
      'pino',
    ],
  },
  {
    files: ['src/store/**'],
    patterns: OUTSIDE_OF_STORES,
  },
  {
    files: ['src/store/memory/**'],
    patterns: ['**/redis/**', '**/disk/**', '@redis/*', ...OUTSIDE_OF_STORES],
  },
  {
    files: ['src/store/disk/**'],
    patterns: ['**/redis/**', '@redis/*', ...OUTSIDE_OF_STORES],
  },
  {
    files: ['src/store/snapshot/**'],
    patterns: ['**/memory/**', '**/disk/**', '**/redis/**', '@redis/*', ...OUTSIDE_OF_STORES],
  },
  {
    // After the rule for its folder, which it replaces.
    files: ['src/store/store.ts'],
    patterns: [
      './*',
      '!./counts.ts',
      '!./figures.ts',
      '!./history-range.ts',
      '!./user-limits.ts',
      ...OUTSIDE_OF_STORES,
      'node:*',
    ],
  },
  {
    files: ['src/http/**'],
    patterns: ['**/transports/**', ...STORES, '**/app/**', 'ws'],
  },
  {
    files: ['src/transports/**'],
    patterns: ['**/http/**', '**/store/**', '**/app/**', '**/config/**'],
  },
  {
    files: ['src/philote/**'],
    patterns: [
      '**/http/**',
      ...STORES,
      '**/transports/**',
      '!**/transports/frame-socket.ts',
      '!**/transports/websocket-frames.ts',
      '**/config/**',
      '**/cli/**',
      '**/app/**',
      'fastify*',
      'ws',
      'pino',
    ],
  },
  {
    files: ['src/webhooks/**'],
    patterns: [
      '**/core/**',
      '**/http/**',
      ...STORES,
      '**/transports/**',
      '**/philote/**',
      '**/config/**',
      '**/cli/**',
      '**/app/**',
      'fastify*',
      'ws',
      'pino',
    ],
  },
  {
    files: ['src/lib/**'],
    patterns: ['../*/**', '../*.ts', 'fastify*', 'ws'],
  },
  {
    files: ['src/net/**'],
    patterns: ['../*/**', '../*.ts', '!../lib/**', 'fastify*', 'ws', 'pino'],
  },
  {
    files: ['src/config/**'],
    patterns: [
      '**/core/**',
      '**/http/**',
      '**/store/**',
      '**/transports/**',
      '**/philote/**',
      '**/app/**',
    ],
  },
].map(({ files, patterns }) => outOfBounds(files, { group: patterns }))

/** What the library for backends may load of the protocol: files that do not import zod. */
const WITHOUT_ZOD = 'errors|headers|json-object|signed-text'

/**
 * The library for backends must not bring the server along, and runs where Node.js does not: of the rest it has types
 * only.
 */
const backendArrow = {
  files: ['src/backend/**'],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          { regex: String.raw`^(?!\./|\.\./protocol/|node:|zod$)` },
          {
            regex: String.raw`^(?!\./|\.\./protocol/(${WITHOUT_ZOD})\.ts$)`,
            allowTypeImports: true,
          },
        ].map((pattern) => ({ ...pattern, message: OUT_OF_BOUNDS })),
      },
    ],
  },
}

/** What runs in browsers has types of the protocol only; the client for pages has nothing else besides. */
const frontendArrows = [
  { files: ['frontend/**/*.ts'], alone: [] },
  { files: ['frontend/client/**/*.ts'], alone: [{ regex: '^(?!\\.\\.?/)' }] },
].map(({ files, alone }) => ({
  files,
  ignores: ['frontend/**/vite.config.ts'],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          { regex: '/src/(?!protocol/)' },
          { regex: '/src/protocol/', allowTypeImports: true },
          ...alone,
        ].map((pattern) => ({ ...pattern, message: OUT_OF_BOUNDS })),
      },
    ],
  },
}))

/** A rejection that nothing handles is a fault of the process. `void` before a promise handles nothing. */
const NO_DETACHED_PROMISES = {
  ignoreVoid: false,
  // Not a promise, but something that can be awaited.
  allowForKnownSafePromises: [{ from: 'package', name: 'FastifyReply', package: 'fastify' }],
}

/** For JavaScript, whose types are not declared: of the rules that need types, only those about promises. */
const UNTYPED_RULES = {
  ...tseslint.configs.disableTypeChecked.rules,
  '@typescript-eslint/no-floating-promises': ['error', NO_DETACHED_PROMISES],
  '@typescript-eslint/no-misused-promises': 'error',
}

const SIZES = {
  'max-lines': ['error', { max: 260, skipBlankLines: true, skipComments: true }],
  'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
  'max-params': ['error', 4],
}

/** One order, so that nobody has to think of it: Node, packages, this project; values before types. */
const IMPORT_ORDER = [
  'error',
  {
    groups: [
      'side-effect',
      'value-builtin',
      'value-external',
      ['value-parent', 'value-sibling', 'value-index'],
      'type-builtin',
      'type-external',
      ['type-parent', 'type-sibling', 'type-index'],
    ],
    newlinesBetween: 0,
    partitionByComment: true,
  },
]

/** What pages of the demos use of the browser. */
const BROWSER_GLOBALS = Object.fromEntries(
  [
    'clearInterval',
    'clearTimeout',
    'crypto',
    'document',
    'fetch',
    'localStorage',
    'location',
    'performance',
    'queueMicrotask',
    'requestAnimationFrame',
    'setInterval',
    'setTimeout',
    'URLSearchParams',
  ].map((name) => [name, 'readonly']),
)

export default tseslint.config(
  {
    ignores: [
      '**/dist/',
      'dist-binary/',
      'node_modules/',
      '.cache/',
      'test/conformance/scenarios/',
      'test-results/',
    ],
  },
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    plugins: { perfectionist },
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js', '.*.mjs'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      eqeqeq: 'error',
      'perfectionist/sort-imports': IMPORT_ORDER,
      '@typescript-eslint/no-floating-promises': ['error', NO_DETACHED_PROMISES],
    },
  },
  {
    files: ['src/**/*.ts', 'frontend/**/*.ts'],
    rules: SIZES,
  },
  {
    // Vitest fails on a rejection that nothing handles.
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }] },
  },
  {
    // A Fastify plugin is asynchronous by signature, and lists routes: it is long without being deep.
    files: ['src/http/**/*.ts', 'src/transports/*.ts'],
    rules: { '@typescript-eslint/require-await': 'off' },
  },
  {
    files: ['src/core/**', 'src/protocol/**', 'src/store/store.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        'setTimeout',
        'setInterval',
        'setImmediate',
        'process',
        'performance',
      ],
    },
  },
  {
    files: ['*.js', '.*.mjs', 'scripts/*.mjs', 'deploy/*.mjs'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      ...tseslint.configs.disableTypeChecked.languageOptions,
      globals: { process: 'readonly', console: 'readonly', URL: 'readonly' },
    },
  },
  {
    files: ['demo/**/*.mjs'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      ...tseslint.configs.disableTypeChecked.languageOptions,
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
        performance: 'readonly',
      },
    },
    rules: { ...tseslint.configs.disableTypeChecked.rules, ...SIZES },
  },
  {
    files: ['demo/*/page/*.mjs'],
    languageOptions: { globals: BROWSER_GLOBALS },
  },
  {
    files: ['bench/**/*.mjs'],
    rules: UNTYPED_RULES,
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
        performance: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
      },
    },
  },
  {
    // Loaded by Node as they are.
    files: ['test/helpers/*.mjs'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      ...tseslint.configs.disableTypeChecked.languageOptions,
      globals: {
        process: 'readonly',
        Buffer: 'readonly',
        performance: 'readonly',
        setImmediate: 'readonly',
        setTimeout: 'readonly',
        WebAssembly: 'readonly',
      },
    },
  },
  {
    // Bundled by tests, and by those who copy them.
    files: ['examples/**/*.js', 'test/frontend/examples/*.js'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      ...tseslint.configs.disableTypeChecked.languageOptions,
      globals: { ...BROWSER_GLOBALS, AbortController: 'readonly', window: 'readonly' },
    },
  },
  ...arrows,
  backendArrow,
  ...frontendArrows,
)
