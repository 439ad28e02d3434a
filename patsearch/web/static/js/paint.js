/** Painting a query picture as it will be searched: cropped, then turned. */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{image: HTMLImageElement | null, crop: import("./state.js").Crop | null, turn: number}} picture
 * @param {number} side CSS pixels that the longer side gets at most
 */
export function drawPicture(canvas, { image, crop, turn }, side) {
  if (!image) return;
  const part = crop ?? { x: 0, y: 0, w: image.naturalWidth, h: image.naturalHeight };
  const sideways = turn % 180 !== 0;
  const [wide, high] = sideways ? [part.h, part.w] : [part.w, part.h];
  const scale = side / Math.max(wide, high);
  const density = Math.min(2, window.devicePixelRatio || 1);
  canvas.width = Math.max(1, Math.round(wide * scale * density));
  canvas.height = Math.max(1, Math.round(high * scale * density));
  canvas.style.width = `${wide * scale}px`;
  canvas.style.height = `${high * scale}px`;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.translate(canvas.width / 2, canvas.height / 2);
  pen.rotate((turn * Math.PI) / 180);
  const [w, h] = sideways ? [canvas.height, canvas.width] : [canvas.width, canvas.height];
  pen.drawImage(image, part.x, part.y, part.w, part.h, -w / 2, -h / 2, w, h);
}
