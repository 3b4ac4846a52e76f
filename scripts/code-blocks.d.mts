/** A block of code in a page or a docstring. */
export interface CodeBlock {
  readonly file: string
  readonly language: string
  readonly line: number
  readonly heading: string
  readonly text: string
  readonly problem?: string
}

export declare const codeBlocks: (file: string) => ReadonlyArray<CodeBlock>
