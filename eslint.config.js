import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    linterOptions: {reportUnusedDisableDirectives: "error"},
    rules: {
      "array-callback-return": "error",
      "default-case-last": "error",
      "eqeqeq": "error",
      "no-alert": "error",
      "no-constructor-return": "error",
      "no-else-return": "error",
      "no-eval": "error",
      "no-implicit-coercion": "error",
      "no-new-func": "error",
      "no-self-compare": "error",
      "no-shadow": ["error", {builtinGlobals: false, hoist: "functions"}],
      "no-template-curly-in-string": "error",
      "no-unmodified-loop-condition": "error",
      "no-unneeded-ternary": "error",
      "no-unreachable-loop": "error",
      "no-useless-assignment": "error",
      "no-useless-concat": "error",
      "no-useless-rename": "error",
      "no-useless-return": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-arrow-callback": "error",
      "prefer-const": ["error", {destructuring: "all"}],
      "prefer-template": "error",
      "require-atomic-updates": "off",
    },
  },
  {files: ["web/**/*.js"], languageOptions: {globals: globals.browser}},
  {
    files: ["web/*/*.js"],
    rules: {
      "no-restricted-imports": ["error", {
        patterns: [{regex: "^\\.\\./(?!lib/)", message: "What a section has from outside is in web/lib/."}],
      }],
    },
  },
  // Node runs none of the page; an audio worklet has a scope of its own.
  {files: ["web/**/*.worklet.js"], languageOptions: {globals: globals.audioWorklet}},
];
