/** esbuild gives a style sheet as text (`--loader:.css=text`). */
declare module '*.css' {
  const text: string;
  export default text;
}
