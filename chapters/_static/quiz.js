// The score of a page's quiz: for each question the first answer that was opened counts.
// Without this file a quiz works all the same, but keeps no score.
document.addEventListener("DOMContentLoaded", () => {
  const questions = [...document.querySelectorAll(".quiz")];
  if (questions.length === 0) return;

  const score = document.createElement("p");
  score.className = "quiz-score";
  score.setAttribute("role", "status"); // a screen reader says it when it changes
  questions.at(-1).after(score);

  const firstAnswers = new Map(); // question -> whether its first answer was right
  for (const question of questions) {
    for (const answer of question.querySelectorAll(".quiz-answer")) {
      answer.addEventListener("toggle", () => {
        if (!answer.open || firstAnswers.has(question)) return;
        firstAnswers.set(question, answer.classList.contains("quiz-right"));
        const right = [...firstAnswers.values()].filter(Boolean).length;
        const left = questions.length - firstAnswers.size;
        const rest = left > 0 ? ` ${left} to go.` : "";
        score.textContent = `Right at the first try: ${right} of ${firstAnswers.size}.${rest}`;
      });
    }
  }
});
