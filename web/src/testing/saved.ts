import { vi } from 'vitest';

/** Files that the page saves from now on. jsdom neither saves nor has object URLs. */
export function savedFiles(): { name: string; text: () => Promise<string> }[] {
  const saved: { name: string; text: () => Promise<string> }[] = [];
  let last: Blob | undefined;
  URL.createObjectURL = (blob) => {
    last = blob as Blob;
    return 'blob:saved';
  };
  URL.revokeObjectURL = vi.fn();
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    const blob = last;
    if (this.download && blob) saved.push({ name: this.download, text: () => blob.text() });
  });
  return saved;
}
