// CopyButton: puts a text on the clipboard. CodeBlock: text for programs with such a button; `breaks` wraps long lines.

import { useState } from 'preact/hooks'
import { Button } from './button'
import { toast } from './toast'
import './copy.css'

interface Props {
  text: string
  /** What is copied, for those who do not see what stands beside it. */
  what?: string
  label?: string
}

export function CopyButton({ text, what = 'to the clipboard', label }: Props) {
  const [done, setDone] = useState(false)
  const copy = async () => {
    try {
      await write(text)
      setDone(true)
      setTimeout(() => setDone(false), 1500)
    } catch {
      toast('This browser does not let the page copy. Select the text instead.', 'warn')
    }
  }
  return <Button tone={label ? 'plain' : 'quiet'} small={!label} square={!label} icon={done ? 'check' : 'copy'} onPress={copy}
    title={`Copy ${what}`}>
    {done ? 'Copied' : label ?? `Copy ${what}`}
  </Button>
}

/** The clipboard's API exists in secure contexts only: not on plain HTTP to another host. */
async function write(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'hidden'
  const place = document.querySelector('dialog[open]:last-of-type') ?? document.body
  place.append(area)
  area.select()
  const worked = document.execCommand('copy')
  area.remove()
  if (!worked) throw new Error('refused')
}

export function CodeBlock({ text, what, breaks = false }: { text: string, what?: string, breaks?: boolean }) {
  return <div class={`codeblock${breaks ? ' breaks' : ''}`}>
    <pre tabIndex={0}><code>{text}</code></pre>
    <CopyButton text={text} {...(what ? { what } : {})} />
  </div>
}
