// Page: heading, where it belongs and what can be done there. Card: a part of a page with a heading of its own; `flush`
// for a table that reaches its edges. Facts: names with values. Tile: one figure that may lead somewhere.

import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Icon, type IconName } from './icon'
import './page.css'

interface PageProps {
  title: string
  /** The pages above it: text and address. */
  above?: readonly (readonly [string, string])[]
  /** Beside the title. */
  badge?: ComponentChildren
  about?: ComponentChildren
  actions?: ComponentChildren
  children: ComponentChildren
}

/** The name of the application, behind the title of each page. */
let application = 'moxpy'
let arrived = false

export function nameApplication(name: string): void {
  application = name
}

export function Page({ title, above, badge, about, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => { document.title = `${title} – ${application}` }, [title])
  useEffect(() => {
    // A new page is read out from its heading; the first one is where the browser puts it.
    if (arrived) heading.current?.focus({ preventScroll: true })
    arrived = true
  }, [])
  return <div class="page">
    <div class="pagehead">
      <div>
        {above && <nav class="crumbs" aria-label="Above this page">
          {above.map(([text, to]) => <span key={to}><a href={to}>{text}</a> <span aria-hidden="true">›</span></span>)}
        </nav>}
        <div class="row"><h1 ref={heading} tabIndex={-1}>{title}</h1>{badge}</div>
        {about && <p class="about">{about}</p>}
      </div>
      {actions && <div class="row">{actions}</div>}
    </div>
    {children}
  </div>
}

interface CardProps {
  title?: string
  about?: ComponentChildren
  actions?: ComponentChildren
  flush?: boolean
  children?: ComponentChildren
}

export function Card({ title, about, actions, flush = false, children }: CardProps) {
  return <section class="card" aria-label={title}>
    {(title || actions) && <header>
      <div>{title && <h2>{title}</h2>}{about && <p class="about">{about}</p>}</div>
      {actions && <div class="row">{actions}</div>}
    </header>}
    {children !== undefined && <div class={flush ? 'flush' : 'inside'}>{children}</div>}
  </section>
}

/** Rows that are false or undefined are left out. */
export function Facts({ rows }: { rows: readonly (readonly [string, ComponentChildren] | false | undefined)[] }) {
  return <dl class="facts">{rows.map(row => row && <>
    <dt key={`${row[0]} name`}>{row[0]}</dt><dd key={row[0]}>{row[1]}</dd>
  </>)}</dl>
}

interface TileProps {
  what: string
  figure: ComponentChildren
  note?: ComponentChildren
  icon?: IconName
  href?: string
}

export function Tile({ what, figure, note, icon, href }: TileProps) {
  const content = <>
    <span class="what">{icon && <Icon name={icon} size={16} />}{what}</span>
    <span class="figure">{figure}</span>
    {note && <span class="note">{note}</span>}
  </>
  return href ? <a class="tile" href={href}>{content}</a> : <div class="tile">{content}</div>
}

export function Tiles({ children }: { children: ComponentChildren }) {
  return <div class="tiles">{children}</div>
}
