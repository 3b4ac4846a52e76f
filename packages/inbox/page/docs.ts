/** The OpenAPI document as a page: small, and as strict as the other one about what it may load. */
import { render } from "preact"
import { html } from "./dom.js"
import type { View } from "./dom.js"

type Fields = Readonly<Record<string, unknown>>

const isObject = (input: unknown): input is Fields =>
  typeof input === "object" && input !== null && !Array.isArray(input)

const at = (input: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((value, name) => isObject(value) ? value[name] : undefined, input)

const text = (input: unknown): string => typeof input === "string" ? input : ""

const entries = (input: unknown): ReadonlyArray<readonly [string, unknown]> =>
  isObject(input) ? Object.entries(input) : []

const list = (input: unknown): ReadonlyArray<unknown> => Array.isArray(input) ? input : []

/** The type of a schema in a few words. */
const typeOf = (schema: unknown): string => {
  const ref = text(at(schema, "$ref"))
  if (ref !== "") return ref.slice(ref.lastIndexOf("/") + 1)
  const values = list(at(schema, "enum"))
  if (values.length > 0) return values.map((value) => JSON.stringify(value)).join(" | ")
  const either = list(at(schema, "anyOf"))
  if (either.length > 0) return either.map(typeOf).join(" | ")
  const type = text(at(schema, "type"))
  return type === "array" ? `array of ${typeOf(at(schema, "items"))}` : type === "" ? "any" : type
}

const fields = (schema: unknown): View => {
  const required = list(at(schema, "required"))
  const properties = entries(at(schema, "properties"))
  return properties.length === 0 ? html`<p class="fine"><code>${typeOf(schema)}</code></p>` : html`<dl class="facts">
    ${
    properties.map(([name, property]) =>
      html`<div key=${name}>
      <dt>${name}${required.includes(name) ? "" : "?"}</dt>
      <dd><code>${typeOf(property)}</code> ${text(at(property, "description"))}</dd>
    </div>`
    )
  }
  </dl>`
}

const operation = (path: string, method: string, value: unknown): View => {
  const parameters = list(at(value, "parameters"))
  const body = at(value, "requestBody", "content", "application/json", "schema")
  return html`<section class="block endpoint" id=${text(at(value, "operationId"))}>
    <h3><span class="method">${method.toUpperCase()}</span> <code>${path}</code></h3>
    <p>${text(at(value, "description")) || text(at(value, "summary"))}</p>
    ${
    parameters.length === 0 ? null : html`<dl class="facts">
      ${
      parameters.map((parameter) =>
        html`<div>
        <dt>${text(at(parameter, "name"))}${at(parameter, "required") === true ? "" : "?"}</dt>
        <dd><code>${typeOf(at(parameter, "schema"))}</code> in ${text(at(parameter, "in"))}</dd>
      </div>`
      )
    }
    </dl>`
  }
    ${body === undefined ? null : html`<p>Body: <code>${typeOf(body)}</code></p>`}
    <p class="fine">${
    entries(at(value, "responses")).map(([status, response]) =>
      html`<span class="tag">${status} ${
        typeOf(
          at(response, "content", "application/json", "schema") ??
            at(response, "content", "text/event-stream", "schema") ?? {}
        )
      }</span> `
    )
  }</p>
  </section>`
}

const page = (document: unknown): View =>
  html`<header class="bar"><h1><a href="/"><img src="/assets/icon.svg" alt="" width="28" height="28" />Inbox</a></h1></header>
  <main class="reading">
    <h2>${text(at(document, "info", "title"))}</h2>
    <p>${text(at(document, "info", "description"))} The OpenAPI document: <a href="/openapi.json">openapi.json</a>.</p>
    <pre class="code" tabindex="0" aria-label="Examples">${
    [
      `curl ${location.origin}/api/pushes?limit=1`,
      `curl "${location.origin}/api/pushes/next?text=Lunch&timeout=10000"`,
      `curl -N ${location.origin}/api/events`
    ].join("\n")
  }</pre>
    ${
    entries(at(document, "paths")).map(([path, methods]) =>
      entries(methods).map(([method, value]) => operation(path, method, value))
    )
  }
    <h2>Schemas</h2>
    ${
    entries(at(document, "components", "schemas")).map(([name, schema]) =>
      html`<section class="block" id=${`schema-${name}`} key=${name}><h3><code>${name}</code></h3><p>${
        text(at(schema, "description"))
      }</p>${fields(schema)}</section>`
    )
  }
  </main>`

const root = document.querySelector("#app")
if (root !== null) {
  const response = await fetch("/openapi.json")
  render(page(await response.json()), root)
}
