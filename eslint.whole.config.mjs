import { defineConfig } from 'eslint/config';
import rules from './eslint.config.mjs';

/**
 * The same rules, for the whole tree in one go: all files are one program of TypeScript. Package by package each would be a
 * program of its own, which loads and checks what it imports anew: three times the work.
 */
export default defineConfig(...rules, {
  files: ['**/*.ts'],
  languageOptions: { parserOptions: { projectService: false, project: './tsconfig.lint.json' } },
});
