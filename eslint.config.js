import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import boundaries from 'eslint-plugin-boundaries';
import vue from 'eslint-plugin-vue';
import tseslint from 'typescript-eslint';

/**
 * Who may import whom (ARCHITECTURE.md, "Layers"). Everything that is not allowed here is refused; a file that belongs to
 * no element is refused as well, so that a new folder must be given its place.
 */
const elements = [
  { type: 'shared', pattern: 'shared' },
  { type: 'engine-host', pattern: 'electron/engine/host' },
  { type: 'codec', pattern: 'electron/engine/codec' },
  { type: 'milvus', pattern: 'electron/engine/milvus' },
  { type: 'source', pattern: 'electron/engine/source' },
  { type: 'target', pattern: 'electron/engine/target' },
  { type: 'errors', pattern: 'electron/engine/errors' },
  { type: 'runtime', pattern: 'electron/engine/runtime' },
  { type: 'task', pattern: 'electron/engine/task' },
  { type: 'store', pattern: 'electron/core/store' },
  { type: 'lab', pattern: 'electron/core/lab' },
  { type: 'shell', pattern: 'electron/shell' },
  { type: 'preload', pattern: 'electron/preload' },
  { type: 'renderer', pattern: 'renderer', partialMatch: false },
  { type: 'judge', pattern: 'electron/core/drill' },
  { type: 'core', pattern: 'electron/core' },
  // What lies in the engine's folder itself: the worker's entry, which alone knows all parts.
  { type: 'engine-entry', pattern: 'electron/engine' },
  { type: 'test', pattern: 'test' },
];

/** element → the elements that it may import besides itself. */
const layers = {
  shared: [],
  codec: ['shared'],
  runtime: ['shared', 'errors'],
  errors: ['shared'],
  milvus: ['shared', 'runtime', 'errors'],
  source: ['shared', 'runtime', 'errors', 'codec', 'milvus'],
  target: ['shared', 'runtime', 'errors', 'codec', 'milvus', 'source'],
  task: ['shared', 'codec', 'runtime', 'errors', 'milvus', 'source', 'target'],
  'engine-host': ['shared', 'runtime', 'errors'],
  'engine-entry': ['shared', 'engine-host', 'runtime', 'codec', 'milvus', 'source', 'target', 'task', 'store'],
  store: ['shared'],
  lab: ['shared'],
  judge: ['shared'],
  shell: ['shared'],
  preload: ['shared'],
  renderer: ['shared'],
  core: ['shared', 'engine-host', 'runtime', 'store', 'lab', 'judge'],
  test: elements.map((element) => element.type),
};

const pure = [
  'electron/engine/codec/**/*.ts',
  'electron/engine/task/write-plan.ts',
  'electron/engine/task/tick-assembler.ts',
];

export default tseslint.config(
  { ignores: ['out/', 'dist/', 'node_modules/', 'test/unit/renderer/vitest.config.ts'] },
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.vue'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        extraFileExtensions: ['.vue'],
        projectService: {
          allowDefaultProject: ['vitest.config.ts', 'electron.vite.config.ts', 'renderer/vite.config.ts'],
        },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    plugins: { boundaries },
    settings: {
      'boundaries/elements': elements,
      'boundaries/include': ['electron/**/*.ts', 'shared/**/*.ts', 'test/**/*.ts', 'renderer/**/*.{ts,vue}'],
      'import/resolver': { node: { extensions: ['.ts', '.js'] } },
    },
    rules: {
      'boundaries/no-unknown-files': 'error',
      'boundaries/dependencies': [
        'error',
        {
          default: 'disallow',
          message: '{{from.type}} may not import {{to.type}} (ARCHITECTURE.md, "Layers")',
          policies: Object.entries(layers).map(([type, others]) => ({
            from: { element: { type } },
            allow: [{ to: { element: { type: [type, ...others] } } }],
          })),
        },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Does not know of `Promise.withResolvers<void>()`.
      '@typescript-eslint/no-invalid-void-type': 'off',
    },
  },
  ...vue.configs['flat/recommended'].map((config) => ({ ...config, files: ['**/*.vue'] })),
  {
    files: ['**/*.vue'],
    // The template's expressions are the type checker's business (vue-tsc); its rules cannot see through components.
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
    // The compiler knows that a switch is exhaustive.
    rules: { 'vue/return-in-computed-property': 'off' },
  },
  // Loads on Electron 9 as well, which has only what newer ones call deprecated.
  { files: ['electron/shell/**/*.ts'], rules: { '@typescript-eslint/no-deprecated': 'off' } },
  {
    // Tests and doubles of the window are compiled with it.
    files: [
      'test/unit/renderer/**/*.ts',
      'test/support/fake-*.ts',
      'test/support/fake-window/*.ts',
      'test/support/screenshots.ts',
    ],
    languageOptions: { parserOptions: { projectService: false, project: 'test/unit/renderer/tsconfig.json' } },
  },
  {
    files: [
      'renderer/**/*.ts',
      'test/unit/renderer/**/*.ts',
      'test/support/fake-*.ts',
      'test/support/fake-window/*.ts',
    ],
    rules: {
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      // Types that pass through .vue files are unknown to the linter's own program.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  { files: pure, rules: { 'no-restricted-imports': ['error', { patterns: ['node:*'] }] } },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      // Doubles keep the shape of what they stand for, and matchers are untyped.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
    },
  },
  {
    files: ['build/**/*.mjs', '*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        URL: 'readonly',
        console: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
      },
    },
  },
  prettier,
);
