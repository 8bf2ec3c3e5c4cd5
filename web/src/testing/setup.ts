import '@testing-library/jest-dom/vitest';
import { cleanup, configure } from '@testing-library/react';
import { afterEach, beforeEach, vi } from 'vitest';
import { setUpClient } from '../api';
import i18n, { setUpI18n } from '../i18n';

// What jsdom lacks and antd asks for.
class NoResizes implements ResizeObserver {
  observe() {
    // nothing has a size here
  }
  unobserve() {
    // likewise
  }
  disconnect() {
    // likewise
  }
}
vi.stubGlobal('ResizeObserver', NoResizes);
vi.stubGlobal('matchMedia', (media: string) => ({
  media,
  matches: media.includes('reduced-motion'),
  addEventListener: vi.fn(),
  removeEventListener: vi.fn(),
  addListener: vi.fn(),
  removeListener: vi.fn(),
}));
window.scrollTo = vi.fn();
Element.prototype.scrollIntoView = vi.fn();
// jsdom logs "not implemented" for pseudo-elements, whose styles antd measures the scroll bar with.
const ofElement = window.getComputedStyle.bind(window);
window.getComputedStyle = (element) => ofElement(element);

configure({ asyncUtilTimeout: 20_000 });
setUpClient();
await setUpI18n();

beforeEach(async () => {
  window.localStorage.clear();
  await i18n.changeLanguage('en');
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});
