import js from '@eslint/js';
import globals from 'globals';
import reactHooks from 'eslint-plugin-react-hooks';
import { reactRefresh } from 'eslint-plugin-react-refresh';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  // Generated, or not ours.
  { ignores: ['dist', 'node_modules', 'src/client', 'src/routeTree.gen.ts', 'e2e/out'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // The router's redirect() is thrown, and so are problems, as the generated client throws them.
      '@typescript-eslint/only-throw-error': 'off',
      // An empty string often means "none" here: a name that WeChat left empty, a search for nothing.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    extends: [reactHooks.configs.flat['recommended-latest'], reactRefresh.configs.vite()],
    languageOptions: { globals: globals.browser },
  },
  // A route file exports its route and a test its helpers: neither is reloaded in place.
  { files: ['src/routes/**', 'src/testing/**'], rules: { 'react-refresh/only-export-components': 'off' } },
  { files: ['e2e/**/*.mjs', '*.js'], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
  { rules: { 'max-lines': ['error', 400], eqeqeq: 'error' } },
);
