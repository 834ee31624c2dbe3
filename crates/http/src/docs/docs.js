// Shows openapi.json. Everything is made as text and elements: nothing of the document is read as HTML.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** An element with attributes and children; texts become text. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** `code` and **strong** of one paragraph. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`")) return make("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return make("strong", {}, part.slice(2, -2));
    return part;
  });
}

/** Paragraphs. */
function said(text, name = "said") {
  if (!text) return null;
  const paragraphs = text.trim().split(/\n\n+/);
  return make("div", { class: name }, paragraphs.map((paragraph) => make("p", {}, inline(paragraph))));
}

/** What a reference stands for, with what is said beside it. */
function resolve(api, schema) {
  if (!schema?.$ref) return schema ?? {};
  const steps = schema.$ref.replace(/^#\//, "").split("/");
  const target = steps.reduce((node, step) => node[step], api);
  const { $ref, ...beside } = schema;
  return { ...target, ...beside, name: steps.at(-1) };
}

/** The parts of an `allOf` as one object. */
function whole(api, schema) {
  const found = resolve(api, schema);
  if (!found.allOf) return found;
  const parts = found.allOf.map((part) => whole(api, part));
  const merged = { ...found, properties: {}, required: [] };
  for (const part of parts) {
    for (const [key, value] of Object.entries(part.properties ?? {})) {
      merged.properties[key] = { ...(merged.properties[key] ?? {}), ...value };
    }
    merged.required.push(...(part.required ?? []));
    merged.name ??= part.name;
  }
  return merged;
}

/** The type and its rules, in a line. */
function typed(api, schema) {
  const it = whole(api, schema);
  const parts = [];
  const alternatives = it.oneOf?.map((one) => resolve(api, one));
  if (alternatives?.every((one) => !one.properties && !one.allOf)) {
    return alternatives.map((one) => typed(api, one)).join(" or ");
  }
  const types = [it.type ?? (it.properties ? "object" : it.oneOf ? "one of these" : "any")].flat();
  if (types.includes("array")) {
    const items = whole(api, it.items);
    parts.push(`array of ${items.properties || items.oneOf ? (items.name ?? "object") : typed(api, items)}`);
    parts.push(...types.filter((type) => type !== "array").map((type) => `or ${type}`));
  } else {
    parts.push(types.join(" or "));
  }
  if (it.format && it.format !== "int64" && it.format !== "int32") parts.push(it.format);
  const most = it.maximum === Number.MAX_SAFE_INTEGER ? "2^53 - 1" : it.maximum;
  if (it.minimum !== undefined && most !== undefined) parts.push(`${it.minimum} to ${most}`);
  else if (it.minimum !== undefined) parts.push(`from ${it.minimum}`);
  if (it.minLength !== undefined && it.maxLength !== undefined) {
    parts.push(`${it.minLength} to ${it.maxLength} characters`);
  } else if (it.minLength !== undefined) parts.push(`at least ${it.minLength} character`);
  if (it.enum) parts.push(`one of ${it.enum.map((value) => JSON.stringify(value)).join(", ")}`);
  return parts.join(", ");
}

/** The keys of an object, of the items of an array, or of each alternative; nothing of plain values. */
function keys(api, schema, isAnswer) {
  const it = whole(api, schema);
  if (it.items) return keys(api, it.items, isAnswer);
  if (it.oneOf) {
    const objects = it.oneOf.map((one) => whole(api, one)).filter((one) => one.properties);
    if (objects.length === 0) return null;
    return make("div", { class: "choices" }, objects.map((one) => {
      const kind = one.properties.type?.enum?.[0];
      return make("details", {},
        make("summary", {}, make("code", {}, kind ?? one.name ?? "object"), " ", one.description ?? ""),
        keys(api, one, isAnswer));
    }));
  }
  if (!it.properties) return null;
  const rows = Object.entries(it.properties).map(([key, value]) => {
    const isRequired = it.required?.includes(key);
    // An answer has its keys; of a request they are asked for.
    const mark = isAnswer ? (isRequired ? null : "not always there") : (isRequired ? "required" : null);
    return row(api, key, value, { mark, isAnswer });
  });
  return make("ul", { class: "keys" }, rows);
}

/** A key, a parameter or a header. */
function row(api, name, schema, { mark, description, where, isAnswer }) {
  const it = whole(api, schema);
  const text = description ?? it.description ?? it.oneOf?.find((one) => one.description)?.description;
  return make("li", {},
    make("code", {}, name), " ",
    make("span", { class: "type" }, where ? `${where}, ` : "", typed(api, schema)), " ",
    mark ? make("span", { class: "mark" }, mark) : null,
    said(text),
    keys(api, schema, isAnswer));
}

function parameters(api, operation) {
  if (!operation.parameters?.length) return [];
  const rows = operation.parameters.map((parameter) =>
    row(api, parameter.name, parameter.schema, {
      mark: parameter.required ? "required" : null,
      description: parameter.description,
      where: parameter.in,
    }));
  return [make("h4", {}, "Parameters"), make("ul", { class: "keys" }, rows)];
}

function body(api, operation) {
  if (!operation.requestBody) return [];
  return Object.entries(operation.requestBody.content).flatMap(([type, content]) => [
    make("h4", {}, "Body"),
    make("p", { class: "said" }, make("code", {}, type), operation.requestBody.required ? "" : ", may be missing",
      ". ", inline(whole(api, content.schema).description ?? "")),
    keys(api, content.schema),
  ]);
}

function answer(api, status, response) {
  const headers = Object.entries(response.headers ?? {});
  const contents = Object.entries(response.content ?? {});
  const opens = status.startsWith("2") ? { open: "" } : {};
  return make("details", { class: "answer", ...opens },
    make("summary", {},
      make("span", { class: Number(status) >= 400 ? "status failed" : "status" }, status),
      make("span", {}, inline(response.description))),
    make("div", {},
      contents.map(([type, content]) => [
        make("p", { class: "said" }, make("code", {}, type), " ", typed(api, content.schema)),
        keys(api, content.schema, true),
      ]).flat(),
      contents.length === 0 ? make("p", { class: "said" }, "No body.") : null,
      headers.length > 0 ? make("h4", {}, "Headers") : null,
      headers.length > 0
        ? make("ul", { class: "keys" },
          headers.map(([name, header]) => row(api, name, header.schema, { description: header.description })))
        : null));
}

function article(api, path, method, operation) {
  const needsToken = operation.security?.length > 0;
  return make("article", { id: operation.operationId },
    make("h3", {}, operation.summary),
    make("p", { class: "path" }, make("span", { class: `method ${method}` }, method.toUpperCase()), " ", path),
    said(operation.description),
    make("p", { class: "type" }, needsToken ? "With Authorization: Bearer <JWT>." : "Without a token."),
    parameters(api, operation),
    body(api, operation),
    make("h4", {}, "Answers"),
    Object.entries(operation.responses).map(([status, response]) => answer(api, status, response)));
}

function show(api) {
  const main = document.getElementById("main");
  const contents = document.getElementById("contents");
  document.getElementById("version").textContent = api.info.version;
  main.replaceChildren(make("h1", {}, `${api.info.title}: HTTP`), said(api.info.description, "said intro"));
  for (const tag of api.tags) {
    main.append(make("h2", {}, tag.name));
    contents.append(make("h2", {}, tag.name));
    for (const [path, item] of Object.entries(api.paths)) {
      for (const method of METHODS.filter((method) => item[method]?.tags.includes(tag.name))) {
        const operation = item[method];
        main.append(article(api, path, method, operation));
        contents.append(make("a", { href: `#${operation.operationId}` },
          make("span", { class: `method ${method}` }, method.toUpperCase()), operation.summary));
      }
    }
  }
  main.dataset.shown = "true";
  // The place that the address names did not exist when the page was loaded.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

const wide = matchMedia("(min-width: 52.01rem)");
const menu = document.getElementById("menu");
menu.open = wide.matches;
wide.addEventListener("change", () => { menu.open = wide.matches; });
menu.addEventListener("click", (event) => {
  if (event.target.closest("a") && !wide.matches) menu.open = false;
});

fetch("openapi.json")
  .then((response) => {
    if (!response.ok) throw new Error(`openapi.json: ${response.status}`);
    return response.json();
  })
  .then(show)
  .catch((error) => {
    document.getElementById("main").replaceChildren(
      make("p", { class: "failed" }, `The document cannot be shown: ${error.message}`));
  });
