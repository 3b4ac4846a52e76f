/**
 * What the page draws with: preact by tagged templates. Everything that comes from a push is handed over as a string and
 * becomes a text node; nothing here knows how to make HTML of text.
 */
import htm from "htm"
import { Component, h } from "preact"
import type { ComponentChildren, VNode } from "preact"

export type View = VNode | Array<VNode> | string | null

const tagged: (strings: TemplateStringsArray, ...values: Array<unknown>) => VNode | Array<VNode> = htm.bind(h)

export const html = tagged

/** Draws again only where one of its properties is another value. */
export abstract class Pure<P extends object> extends Component<P> {
  override shouldComponentUpdate(next: Readonly<P>): boolean {
    const before = Object.entries(this.props)
    const after = new Map<string, unknown>(Object.entries(next))
    return before.length !== after.size || before.some(([name, value]) => after.get(name) !== value)
  }

  abstract override render(): ComponentChildren
}

export const copy = (text: string): Promise<boolean> =>
  navigator.clipboard === undefined
    ? Promise.resolve(false)
    : navigator.clipboard.writeText(text).then(() => true, () => false)
