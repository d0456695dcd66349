// start(name, application): what every application's main does: theme, router, wire, then the application itself. A bug
// in a page shows as a message with a way on, never as an empty window.

import { Component, render, type ComponentChildren } from 'preact'
import { startWire } from '../api/wire'
import { startRouter } from '../lib/router'
import { startTheme } from '../lib/theme'
import { Button } from './button'
import { CodeBlock } from './copy'
import { nameApplication, Page } from './page'
import { toast } from './toast'
import './style.css'

export function start(name: string, title: string, application: ComponentChildren): void {
  startTheme()
  startRouter()
  startWire(name)
  nameApplication(title)
  window.addEventListener('error', event => {
    // Browsers say so when a size is measured twice before one picture; nothing is lost.
    if (!event.message.startsWith('ResizeObserver loop')) toast(`The page failed: ${event.message}`, 'bad')
  })
  window.addEventListener('unhandledrejection', event => toast(`The page failed: ${String(event.reason)}`, 'bad'))
  const place = document.getElementById('app')
  if (!place) return
  render(application, place)
  // A script of the operator (`webwebmail.js`) may change what is shown.
  const { moxBeforeDisplay } = window as Window & { moxBeforeDisplay?: (root: HTMLElement) => unknown }
  moxBeforeDisplay?.(place)
}

/** Around each page, with the page's address as key: another page gets another chance. */
export class Guard extends Component<{ children: ComponentChildren }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null }

  static override getDerivedStateFromError(error: Error) {
    return { error }
  }

  override render() {
    const { error } = this.state
    if (!error) return <>{this.props.children}</>
    const report = [`${error.name}: ${error.message}`, location.hash, navigator.userAgent, error.stack ?? ''].join('\n')
    return <Page title="This page failed" about="That is a bug of ours. What stands below helps to find it.">
      <div class="row"><Button icon="refresh" onPress={() => this.setState({ error: null })}>Try again</Button></div>
      <CodeBlock text={report} breaks what="the report" />
    </Page>
  }
}
