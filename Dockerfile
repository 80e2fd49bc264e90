# The matches as a page and an API, for those who install nothing: docker build -t steam-beit . && docker run -p 7860:7860 steam-beit
FROM python:3.11-slim
# hadolint ignore=DL3008
RUN useradd --uid 1000 --create-home app && install -d -o app /home/app/steam-beit \
    && apt-get update && apt-get install -y --no-install-recommends fonts-dejavu-core && rm -rf /var/lib/apt/lists/*
WORKDIR /home/app/steam-beit
COPY --chown=app . .
USER 1000
ENV STEAM_BANNERS_SOURCE=sample
RUN pip install --user --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu \
    && pip install --user --no-cache-dir -c constraints.txt -r requirements.txt fastapi fastapi-offline uvicorn httptools uvloop \
    && python -m tools.run_notebooks out
CMD ["python", "-m", "tools.serve", "--host", "0.0.0.0", "--port", "7860"]
