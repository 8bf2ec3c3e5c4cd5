import { createRoot } from 'react-dom/client';
import { Console } from './Console';
import { setUpClient } from './api';
import { setUpI18n } from './i18n';
import './styles.css';

const root = document.getElementById('root');
if (root) {
  setUpClient();
  await setUpI18n();
  createRoot(root).render(<Console />);
}
