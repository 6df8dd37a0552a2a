import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import reactHooks from 'eslint-plugin-react-hooks';
import { defineConfig, globalIgnores } from 'eslint/config';
import typescript from 'typescript-eslint';

export default defineConfig(
  globalIgnores(['lib', 'node_modules', 'style/index.js']),
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [
      typescript.configs.strictTypeChecked,
      typescript.configs.stylisticTypeChecked,
      reactHooks.configs.flat['recommended-latest']
    ],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      curly: 'error',
      eqeqeq: 'error',
      // TypeScript's `?.` and `??` count as branches too.
      complexity: ['error', 12],
      'max-lines': ['error', 300],
      'max-lines-per-function': [
        'error',
        { max: 60, skipBlankLines: true, skipComments: true }
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML)$/]',
          message: 'Text of users is never HTML.'
        },
        {
          selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]',
          message: 'Text of users is never HTML.'
        }
      ],
      'no-restricted-globals': [
        'error',
        { name: 'fetch', message: 'Only api.ts asks the server.' },
        { name: 'WebSocket', message: 'Only feed.ts opens a socket.' }
      ],
      // Both ways to name a type are fine, and numbers in texts are wanted.
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true }
      ],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/array-type': 'off'
    }
  },
  {
    files: ['src/components/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: ['**/api', '**/feed', '**/commands'] }
      ]
    }
  },
  { files: ['test/**'], rules: { 'max-lines-per-function': 'off' } },
  { files: ['src/protocol.ts'], rules: { 'max-lines': 'off' } },
  prettier
);
