"use strict";
/* Asks for a token and fetches the same address with it; the token stays in this page's memory. */
document.getElementById("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = document.getElementById("token").value.trim();
  const said = document.getElementById("said");
  try {
    const answer = await fetch(location.href, { headers: { authorization: "Bearer " + token, accept: "text/html" } });
    if (!answer.ok) {
      said.textContent = answer.status === 401 ? "This token is not valid." : "This token may not look at this page.";
      return;
    }
    window.nbprodToken = token;
    const page = await answer.text();
    document.open();
    document.write(page);
    document.close();
  } catch {
    said.textContent = "The server does not answer.";
  }
});
